"""The remaining time: of recorded runs, of steady epochs, and of one that goes on."""

from pathlib import Path

import pytest

from app.events import Completed, Epoch, Started, read_events
from app.worker.eta import FINISH_S, Pace

RECORDED = Path(__file__).parent / "recorded"


def test_the_remaining_time_of_a_recorded_run() -> None:
    """After a tenth of a steady run within a fifth of the truth, at every epoch."""
    said = list(read_events(RECORDED))
    started = next(envelope for _, envelope in said if isinstance(envelope.event, Started))
    end = next(envelope for _, envelope in said if isinstance(envelope.event, Completed))
    run = started.event
    assert isinstance(run, Started)
    closes = run.epochs - run.arguments["close_mosaic"] + 1
    pace = Pace(run.epochs, run.batches, closes, run.val_images / run.train_images)
    whole = (end.time - started.time).total_seconds()
    errors = {}
    for _, envelope in said:
        if not isinstance(event := envelope.event, Epoch):
            continue
        train = event.timing["load"] + event.timing["train"]
        pace.epoch_done(event.epoch, train, event.seconds - train)
        truth, left = (end.time - envelope.time).total_seconds(), pace.left(event.epoch)
        assert left is not None
        if whole - truth > whole / 10 and event.epoch < run.epochs:
            errors[event.epoch] = abs(left - truth) / truth
    assert len(errors) > 20
    assert max(errors.values()) < 0.2, errors


def steady(pace: Pace, epochs: int, train: float = 10.0, rest: float = 2.0) -> None:
    for epoch in range(1, epochs + 1):
        pace.epoch_done(epoch, train, rest)


def test_the_remaining_time_of_steady_epochs() -> None:
    pace = Pace(epochs=20, batches=100, closes=21, validation=0.25)
    pace.epoch_done(1, 60.0, 9.0)  # fills caches
    assert pace.left(1) == 19 * 60 + 20 * 9 + FINISH_S
    steady(pace, 5)
    assert pace.left(6) == 14 * 10 + 15 * 2 + FINISH_S, "14 epochs, and the best weights are validated once more"
    pace.epoch_done(7, 500.0, 2.0)  # the machine was asleep
    assert pace.left(7) == 13 * 10 + 14 * 2 + FINISH_S
    assert pace.left_within(7, 50, 5.0, 0.1) == 12.5 * 10 + 14 * 2 + FINISH_S


def test_epochs_without_mosaic_are_faster() -> None:
    pace = Pace(epochs=20, batches=10, closes=11, validation=0.25)
    steady(pace, 10)
    assert pace.left(10) == 10 * 10 + 11 * 2 + FINISH_S, "not known yet"
    pace.epoch_done(11, 4.0, 2.0)
    assert pace.left(11) == 9 * 4 + 10 * 2 + FINISH_S


def test_the_first_epoch_guesses_its_validation() -> None:
    pace = Pace(epochs=10, batches=100, closes=11, validation=0.2)
    assert pace.left_within(0, 1, 30.0, 30.0) is None
    left = pace.left_within(0, 11, 40.0, 30.0)  # a slow first batch, then ten of a second each
    assert left == pytest.approx(89 + 9 * 100 + 11 * 100 * 0.2 * 0.5 + FINISH_S)


def test_a_run_that_goes_on_knows_its_pace() -> None:
    pace = Pace(epochs=10, batches=100, closes=11, validation=0.2, earlier=[30.0, 12.0, 12.0, 12.0])
    assert pace.left(4) == 6 * 12 + FINISH_S
    assert pace.left_within(4, 50, 6.0, 0.1) == 5.5 * 12 + FINISH_S
    pace.epoch_done(5, 20.0, 4.0)
    assert pace.left(5) == 5 * 20 + 6 * 4 + FINISH_S, "what is newer counts"
