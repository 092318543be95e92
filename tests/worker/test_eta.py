"""The remaining time: of recorded runs, and of simulated ones with a known end."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.events import Completed, Epoch, Progress, Started, read_events
from app.worker.eta import DRAWINGS, FINISH_S, Contention, TrainingPace
from app.worker.speeds import Speeds

RECORDED = Path(__file__).parent / "recorded"
RECORDED_LATE = RECORDED / "late"
BATCHES = 41


@dataclass
class Simulation:
    """A run defined by its times: of each batch, after each epoch, and at the end (s)."""

    batch: Callable[[int, int], float]  # by epoch (from 1) and batch (from 1)
    rest: Callable[[int], float]
    epochs: int = 10
    batches: int = BATCHES
    closes: int = 10_000
    burst: int = 1
    earlier: list[float] = field(default_factory=list)
    first: int = 1  # epoch
    end: float = FINISH_S  # of the run, after the last validation
    drawing: float | None = None  # of the labels, at the start
    contention: Callable[[int], float] = lambda _epoch: 1.0  # measured after an epoch

    def play(self) -> Iterator[tuple[int, int, float, float | None]]:
        """(epoch, batch, true remaining seconds, estimated ones) after each batch; `batch` 0: after an epoch."""
        pace = TrainingPace(self.epochs, self.batches, self.closes, 0.25, self.earlier, self.burst, self.drawing)
        times = {
            (epoch, batch): self.batch(epoch, batch)
            for epoch in range(self.first, self.epochs + 1)
            for batch in range(1, self.batches + 1)
        }
        rests = {epoch: self.rest(epoch) for epoch in range(self.first, self.epochs + 1)}
        remaining = sum(times.values()) + sum(rests.values()) + rests[self.epochs] + self.end
        for epoch in range(self.first, self.epochs + 1):
            for batch in range(1, self.batches + 1):
                pace.add_batch(epoch, times[epoch, batch])
                remaining -= times[epoch, batch]
                yield epoch, batch, remaining, pace.remaining_within(epoch - 1, batch)
            train = sum(times[epoch, item] for item in range(1, self.batches + 1))
            pace.add_epoch(epoch, train, rests[epoch], None, self.contention(epoch))
            remaining -= rests[epoch]
            yield epoch, 0, remaining, pace.remaining(epoch)

    def worst(self, after: tuple[int, int], before: tuple[int, int] = (1000, 0)) -> float:
        """The largest error relative to the truth, after a batch and before the last epoch's end."""
        errors = {}
        for epoch, batch, truth, estimate in self.play():
            position = (epoch, batch or self.batches + 1)
            if after < position <= before and position < (self.epochs, self.batches + 1):
                assert estimate is not None, position
                errors[position] = abs(estimate - truth) / truth
        assert errors
        return max(errors.values())


def noisy(mean: float, seed: int = 1, spread: float = 0.15) -> Callable[..., float]:
    """Random times, the same for the same seed."""
    rng = random.Random(seed)
    return lambda *_: max(mean / 4, rng.gauss(mean, spread * mean))


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_run_is_estimated_after_a_tenth(seed: int) -> None:
    rest = noisy(0.25 * 0.5 * BATCHES, seed + 100)
    assert Simulation(noisy(1.0, seed), rest, epochs=10).worst(after=(1, BATCHES)) < 0.2
    assert Simulation(noisy(1.0, seed), rest, epochs=100).worst(after=(10, BATCHES)) < 0.2
    # A tenth of five epochs is half of the first: validation is still estimated from the sizes of the splits.
    assert Simulation(noisy(1.0, seed), rest, epochs=5).worst(after=(1, BATCHES // 2)) < 0.2


def test_the_slow_first_epoch_does_not_distort_the_estimate() -> None:
    """It fills caches; the issue's run showed 56 s at its first batch and 48 s after 103 s."""
    run = Simulation(lambda epoch, _: 2.0 if epoch == 1 else 1.0, lambda epoch: 20.0 if epoch == 1 else 10.0, epochs=8)
    assert run.worst(after=(2, BATCHES // 2)) < 0.25
    assert run.worst(after=(3, 1)) < 0.05


@pytest.mark.parametrize("factor", [0.3, 0.5, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("at", [(4, 1), (4, 20), (4, BATCHES), (7, 35)])
def test_another_speed_is_estimated_within_an_epoch(factor: float, at: tuple[int, int]) -> None:
    """From one batch on everything takes `factor` times as long: another program starts, or ends."""
    chance, chance_rest = noisy(1.0, 3, 0.1), noisy(5.0, 4, 0.1)

    def batch(epoch: int, number: int) -> float:
        return chance() * (factor if (epoch, number) >= at else 1.0)

    def rest(epoch: int) -> float:
        return chance_rest() * (factor if (epoch, BATCHES) >= at else 1.0)

    begun = max(1.0, 1 / factor)  # the slowdown by the others at the start
    run = Simulation(batch, rest, epochs=14, end=FINISH_S * begun * factor)
    run.contention = lambda epoch: begun * (factor if epoch >= at[0] else 1.0)
    assert run.worst(after=(at[0] + 1, at[1])) < 0.2


@pytest.mark.parametrize("factor", [0.1, 0.28, 4.0])
@pytest.mark.parametrize("at", [(9, 0.0), (9, 0.4), (11, 0.7)])
def test_a_change_after_the_last_mosaic_is_estimated(factor: float, at: tuple[int, float]) -> None:
    """The epochs with mosaic have measured the time of a validation, at another speed."""
    run = another_speed(factor, at, 0.5, 16)
    run.closes = 7
    assert run.worst(after=(at[0] + 1, round(at[1] * run.batches))) < 0.2
    assert end_ratio(run) == pytest.approx(1, rel=0.2)


def test_a_piece_before_the_change_is_not_of_the_new_speed() -> None:
    speeds = Speeds(100)
    for pace in [0.97, 0.95, 0.99, 0.96, 0.98, 0.97, 0.99, 0.55, 0.5]:
        speeds.add(pace)
    assert speeds.present() == [0.55, 0.5]


@pytest.mark.parametrize("at", [0.6, 0.8])
def test_a_machine_that_was_unsteady_and_becomes_free(at: float) -> None:
    """Under load the paces vary by a third, for some seconds at a time; then it is 3.5 times as fast."""
    rng, drift = random.Random(4), 0.0
    last = round(at * 20)

    def batch(epoch: int, _number: int) -> float:
        nonlocal drift
        drift = 0.7 * drift + rng.gauss(0, 0.2)
        return 3.5 * math.exp(drift) if epoch <= last else 1.0

    def rest(epoch: int) -> float:
        return 3.5 * 6.0 * rng.uniform(0.7, 1.4) if epoch <= last else 6.0

    run = Simulation(batch, rest, epochs=20, batches=13, contention=lambda epoch: 3.5 if epoch <= last else 1.0)
    assert run.worst(after=(last + 1, 13)) < 0.2


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9, 1.5])
@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("epochs", [5, 12])
def test_a_late_change_is_estimated_an_epoch_later(factor: float, at: float, share: float, epochs: int) -> None:
    """In the middle of the third epoch, in its last batches or in its validation; the rest then consists largely of
    validations, the last one too, and the drawing at the end, all at the new speed.
    """
    run = another_speed(factor, (3, at), share, epochs)
    assert run.worst(after=(4, round(at * run.batches))) < 0.2
    assert end_ratio(run) == pytest.approx(1, rel=0.2), "one more validation, and the end"


@pytest.mark.parametrize(
    ("factor", "at"),
    [(2.0, (2, 0.0)), (2.0, (2, 0.5)), (0.5, (2, 0.5)), (0.3, (2, 0.0)), (0.3, (2, 1.5)), (4.0, (2, 0.9))],
)
@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("epochs", [5, 12])
def test_a_second_epoch_change_is_estimated(factor: float, at: tuple[int, float], share: float, epochs: int) -> None:
    """The first epoch may be slow as it fills caches: contention for the CPU is measured, not inferred."""
    run = another_speed(factor, at, share, epochs)
    assert run.worst(after=(at[0] + 1, round(at[1] * run.batches))) < 0.2
    assert end_ratio(run) == pytest.approx(1, rel=0.2), "one more validation, and the end"


@pytest.mark.parametrize(
    ("factor", "at", "batches"),
    [
        (2.0, 0.3, 15),
        (4.0, 0.5, 15),
        (2.0, 0.5, 41),
        (4.0, 0.9, 41),
        (0.5, 0.3, 41),
        (0.5, 0.5, 15),
        (0.3, 0.1, 15),
        (0.3, 1.5, 15),
        (0.3, 0.5, 41),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("epochs", [5, 12])
def test_a_first_epoch_change_is_estimated(factor: float, at: float, batches: int, share: float, epochs: int) -> None:
    """The drawing at the start, which predicts the duration of the end, had the old speed; the first validation has the
    new one. If only the last batches had it, the ratio of a validation to batches is still unknown.
    """
    run = another_speed(factor, (1, at), share, epochs, batches)
    assert run.worst(after=(2, round(at * batches))) < 0.2
    assert end_ratio(run) == pytest.approx(1, rel=0.2), "one more validation, and the end"


@pytest.mark.parametrize("batches", [15, 41])
def test_caches_that_fill_are_no_change_of_speed(batches: int) -> None:
    """A mosaic takes four images, so most of them are in memory after a third of the first epoch."""

    def batch(epoch: int, number: int) -> float:
        share = number / batches
        return 1.0 + (1.5 * (1 - share) * math.exp(-3 * share) if epoch == 1 else 0.0)

    run = Simulation(batch, lambda epoch: 8.0 if epoch == 1 else 5.0, epochs=5, batches=batches)
    assert end_ratio(run) == pytest.approx(1, rel=0.05)


def another_speed(
    factor: float, at: tuple[int, float], share: float, epochs: int, batches: int = 15, seed: int = 5
) -> Simulation:
    """A run that takes `factor` times as long from epoch `at[0]` on, after the share `at[1]` of its batches; 1.5: in
    the middle of its validation. Another program starts or ends, so that its drawing, in CPU time, predicts the end
    only together with the measured contention.
    """
    drawing, begun = 1.25, max(1.0, 1 / factor)  # the slowdown by the others at the start
    chance, chance_rest = noisy(1.0, seed, 0.05), noisy(share * batches, seed + 1, 0.05)
    chance_probe = noisy(1.0, seed + 2, 0.07)

    def batch(epoch: int, number: int) -> float:
        return chance() * (factor if (epoch, (number - 1) / batches) >= at else 1.0)

    def rest(epoch: int) -> float:
        old = 1.0 if epoch < at[0] else 0.5 if (epoch, 1.5) == at else 0.0
        return chance_rest() * (old + (1 - old) * factor)

    def contention(epoch: int) -> float:
        return begun * chance_probe() * (factor if epoch >= at[0] else 1.0)

    end = drawing * DRAWINGS * begun * factor
    return Simulation(batch, rest, epochs, batches, end=end, drawing=drawing, contention=contention)


def end_ratio(run: Simulation) -> float:
    """The estimate at the end of the last epoch, as a multiple of the truth."""
    (last,) = [(estimate, truth) for epoch, number, truth, estimate in run.play() if (epoch, number) == (run.epochs, 0)]
    estimate, truth = last
    assert estimate is not None
    return estimate / truth


def test_contention_for_the_processor() -> None:
    """A sufficiently long probe counts alone, shorter ones together; a clock that jumps never yields less than 1."""
    contention = Contention()
    assert contention.add(0.05, 0.01) == pytest.approx(5)
    assert contention.add(0.05, 0.05) == pytest.approx(1)
    assert contention.add(0.02, 0.01) == pytest.approx(0.07 / 0.06)
    assert contention.add(0.03, 0.01) == pytest.approx(0.05 / 0.02)
    assert contention.add(0.05, 0.06) == 1.0
    assert 1.0 <= contention.measure(0.0) < math.inf


def test_one_interrupted_probe_does_not_prolong_the_end() -> None:
    """Without it being left out: half of the probes at a half of the CPU are a slowdown by a third."""
    pace = TrainingPace(20, BATCHES, 10_000, 0.25)
    slowdowns = []
    for epoch, ratio in enumerate([1.0] * 8 + [20.0] + [2.0, 1.0] * 5, 1):
        for _ in range(BATCHES):
            pace.add_batch(epoch, 1.0)
        pace.add_epoch(epoch, float(BATCHES), 5.0, 1.25, ratio)
        slowdowns.append(pace.contention())
    assert slowdowns[8] < 1.2
    assert slowdowns[18] == pytest.approx(9 / (4 / 2 + 5))


def test_the_pace_within_an_epoch_counts_before_its_end() -> None:
    """Half an epoch at a quarter of the speed: the estimate has increased, long before the epoch ends."""
    run = Simulation(lambda epoch, _: 4.0 if epoch == 5 else 1.0, lambda _: 5.0, epochs=6)
    estimates = {(epoch, batch): estimate for epoch, batch, _, estimate in run.play()}
    before, half = estimates[4, 0], estimates[5, 20]
    assert before is not None
    assert half is not None
    assert half > before


def test_helpers_load_batches_in_bursts() -> None:
    """Eight helpers: seven batches are available at once, the eighth is waited for."""
    run = Simulation(lambda _, number: 0.1 if number % 8 else 4.0, lambda _: 6.0, epochs=10, batches=64, burst=8)
    assert run.worst(after=(1, 64), before=(9, 64)) < 0.2, "in the last epoch one burst is much of what is left"


def test_one_pause_of_the_machine_is_no_change_of_speed() -> None:
    def batch(epoch: int, number: int) -> float:
        return 500.0 if (epoch, number) == (6, 7) else 1.0

    assert Simulation(batch, lambda _: 5.0, epochs=20).worst(after=(6, 8)) < 0.2


def replay(path: Path) -> Iterator[tuple[int, int, float, float | None]]:
    """A recorded run, in the form of `Simulation.play`; its batches took the time between their events."""
    envelopes = [envelope for _, envelope in read_events(path)]
    started = next(envelope for envelope in envelopes if isinstance(envelope.event, Started))
    end = next(envelope.time for envelope in envelopes if isinstance(envelope.event, Completed))
    run, last, batches = started.event, started.time, 0
    assert isinstance(run, Started)
    closes = run.epochs - run.arguments["close_mosaic"] + 1
    pace = TrainingPace(run.epochs, run.batches, closes, run.val_images / run.train_images, drawing=run.drawing)
    for envelope in envelopes:
        event, remaining = envelope.event, (end - envelope.time).total_seconds()
        if isinstance(event, Progress):
            count = event.batch - batches
            for _ in range(count):
                pace.add_batch(event.epoch, (envelope.time - last).total_seconds() / count)
            last, batches = envelope.time, event.batch
            yield event.epoch, event.batch, remaining, pace.remaining_within(event.epoch - 1, event.batch)
        elif isinstance(event, Epoch):
            train = event.timing["load"] + event.timing["train"]
            pace.add_epoch(event.epoch, train, event.seconds - train, event.timing["val"])
            last, batches = envelope.time, 0
            yield event.epoch, 0, remaining, pace.remaining(event.epoch)


def test_the_end_of_a_run_on_a_loaded_machine() -> None:
    """Eight epochs beside other programs, some of which started during the seventh; the load changed in every epoch, by
    up to a factor of five, which cannot be predicted. The end is in proportion to the drawing at its own start, of
    which the wall time was recorded, since contention was not measured yet.
    """
    *_, (epoch, batch, truth, estimate) = replay(RECORDED_LATE)
    assert (epoch, batch) == (8, 0)
    assert estimate == pytest.approx(truth, rel=0.27), "one more validation, and the drawing of the plots"


def test_slow_batches_of_a_loaded_machine_are_no_stalls() -> None:
    """Others use the CPU during some consecutive batches, so that some parts of an epoch take six times as long."""
    slow = {4, 5, 6, 7, 20, 21, 22, 23, 24, 36, 37, 38, 39}
    run = Simulation(lambda _, number: 6.0 if number in slow else 1.0, lambda _: 20.0, epochs=8)
    assert run.worst(after=(2, BATCHES), before=(7, BATCHES)) < 0.2


def test_the_remaining_time_of_a_recorded_run() -> None:
    """After a tenth of a steady run within a fifth of the truth, at every epoch."""
    envelopes = list(read_events(RECORDED))
    started = next(envelope for _, envelope in envelopes if isinstance(envelope.event, Started))
    end = next(envelope for _, envelope in envelopes if isinstance(envelope.event, Completed))
    run = started.event
    assert isinstance(run, Started)
    closes = run.epochs - run.arguments["close_mosaic"] + 1
    pace = TrainingPace(run.epochs, run.batches, closes, run.val_images / run.train_images)
    duration = (end.time - started.time).total_seconds()
    errors = {}
    for _, envelope in envelopes:
        if not isinstance(event := envelope.event, Epoch):
            continue
        train = event.timing["load"] + event.timing["train"]
        for _batch in range(run.batches):
            pace.add_batch(event.epoch, train / run.batches)
        pace.add_epoch(event.epoch, train, event.seconds - train)
        truth, estimate = (end.time - envelope.time).total_seconds(), pace.remaining(event.epoch)
        assert estimate is not None
        if duration - truth > duration / 10 and event.epoch < run.epochs:
            errors[event.epoch] = abs(estimate - truth) / truth
    assert len(errors) > 20
    assert max(errors.values()) < 0.2, errors


def steady(pace: TrainingPace, epochs: int, train: float = 10.0, rest: float = 2.0) -> None:
    for epoch in range(1, epochs + 1):
        pace.add_epoch(epoch, train, rest)


def test_epochs_without_mosaic_are_faster() -> None:
    pace = TrainingPace(epochs=20, batches=10, closes=11, validation=0.25)
    steady(pace, 10)
    assert pace.remaining(10) == pytest.approx(10 * 10 + 11 * 2 + FINISH_S), "not known yet"
    run = Simulation(lambda epoch, _: 0.4 if epoch >= 11 else 1.0, lambda _: 5.0, epochs=20, closes=11)
    assert run.worst(after=(11, 3)) < 0.2
    assert run.worst(after=(11, 20)) < 0.05


def test_a_validation_is_counted_down() -> None:
    """It may take as long as an epoch; earlier, the remaining time did not change meanwhile."""
    pace = TrainingPace(epochs=10, batches=10, closes=11, validation=0.25)
    steady(pace, 4, rest=8.0)
    before = pace.remaining_within(4, 10)
    assert before == pytest.approx(5 * 10 + 6 * 8 + 8 + FINISH_S)
    assert pace.remaining_within(4, 10, 3.0) == pytest.approx(before - 3)
    assert pace.remaining_within(4, 10, 60.0) == pytest.approx(before - 8), "what follows it is still to come"
    assert pace.remaining_within(4, 10, 4.0, 0.25, 4.0) > before, "a quarter took 4 s: slower than the others"
    assert pace.remaining_within(4, 10, 8.0, 0.5, 8.0) == pytest.approx(before), "half of it took 8 s, and half is left"
    end = pace.remaining(10)
    assert end == pytest.approx(8 + FINISH_S), "the best weights are validated, and plots are drawn"
    assert pace.remaining_at_end(3.0) == pytest.approx(end - 3)
    assert pace.remaining_at_end(8.0, 0.5, 8.0) == pytest.approx(8 + FINISH_S), "at its own pace"
    assert pace.remaining_at_end(17.0, 0.5, 8.0) == pytest.approx(FINISH_S - 1), (
        "no batch tells of the metrics and plots"
    )
    assert pace.remaining_at_end(60.0) == 0.0
    assert TrainingPace(epochs=10, batches=10, closes=11, validation=0.25).remaining_at_end(1.0) is None


def test_the_first_epoch_guesses_its_validation() -> None:
    pace = TrainingPace(epochs=10, batches=100, closes=11, validation=0.2)
    pace.add_batch(1, 30.0)  # a slow first batch, then ten of a second each
    assert pace.remaining_within(0, 1) is None
    for _ in range(10):
        pace.add_batch(1, 1.0)
    assert pace.remaining_within(0, 11) == pytest.approx(89 + 9 * 100 + 11 * 100 * 0.2 * 0.5 + FINISH_S)


def test_a_run_that_goes_on_knows_its_pace() -> None:
    run = Simulation(lambda _e, number: 0.25, lambda _: 1.0, first=5, earlier=[30.0, 11.2, 11.2, 11.2])
    run.batch = lambda epoch, number: 9.0 if (epoch, number) == (5, 1) else 0.25
    assert run.worst(after=(5, 1)) < 0.2
    run.batch = lambda _epoch, _number: 1.0  # on another machine
    run.rest = lambda _: 4.0
    assert run.worst(after=(5, 5)) < 0.2
