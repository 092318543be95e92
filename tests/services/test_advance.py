"""The progress of a training: over REST and in messages it never decreases, in any phase."""

from typing import Any

from apiflask import APIFlask

from app.events import Event, Failed, Paused, Progress, Stage
from app.services.trainer.messages import RoomMessage
from app.services.trainer.present import as_json
from tests.services.runs import RUN, STARTED, claim, create_training, epoch, numbered, recorder, row_of, service


def played(app: APIFlask, training_id: int, events: list[Event], attempt: int = 1) -> list[float]:
    """Apply each event; returns the fraction in each message, and that of REST after each event."""
    fractions = []
    for one in numbered(events):
        with app.app_context():
            sent = recorder(app).apply(training_id, attempt, [one])
            fractions += [item.payload["progress"]["fraction"] for item in sent if "progress" in item.payload]
            fractions.append(as_read(training_id, app)["progress"]["fraction"])
    return fractions


def as_read(training_id: int, app: APIFlask) -> dict[str, Any]:
    view = service(app).presenter.one(training_id)
    assert view is not None
    return as_json(view)


def test_validation_and_saving_are_no_step_back(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    events: list[Event] = []
    for event in RUN[:-1]:
        events.append(event)
        if isinstance(event, Progress) and event.batch == event.batches:
            events.append(Stage("validating"))
    for number in (2, 3):  # RUN has the batches of the first epoch only
        index = events.index(next(item for item in events if getattr(item, "epoch", 0) == number))
        events[index:index] = [Progress(number, 1, 2, 3.0), Progress(number, 2, 2, 2.0), Stage("validating")]
    fractions = played(idle_app, training_id, [*events, Stage("saving")])
    assert fractions == sorted(fractions)
    assert fractions[-1] == 0.99, "not 100 % while the best weights are still validated"
    assert {round(value, 2) for value in fractions} >= {0.0, 0.17, 0.33, 0.5, 0.67, 0.83}
    with idle_app.app_context():
        recorder(idle_app).apply(training_id, 1, numbered([RUN[-1]], 1000))
        assert as_read(training_id, idle_app)["progress"]["fraction"] == 1.0


def test_the_epoch_is_named_while_it_is_validated(idle_app: APIFlask) -> None:
    """Earlier, it was "epoch 4 of 5", then "epoch 3 of 5 · measuring", then "epoch 4 of 5"."""
    training_id = create_training(idle_app)
    played(idle_app, training_id, [STARTED, epoch(1), Progress(2, 2, 2, 1.0), Stage("validating")])
    with idle_app.app_context():
        assert as_read(training_id, idle_app)["progress"] == {
            "stage": "validating",
            "epoch": 2,
            "batch": 2,
            "batches": 2,
            "fraction": 0.6667,
        }


def test_the_remaining_time_falls_while_it_validates(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    events = [STARTED, Progress(1, 2, 2, 1.0, {}, 40.0), Stage("validating", 39.5), Stage("validating", 37.0)]
    played(idle_app, training_id, events)
    with idle_app.app_context():
        assert as_read(training_id, idle_app)["eta"] == 37.0
        recorder(idle_app).apply(training_id, 1, numbered([Stage("saving")], 1000))
        assert as_read(training_id, idle_app)["eta"] == 37.0, "nothing new is known"


def test_repeated_epochs_after_a_crash_do_not_move_the_progress(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    fractions = played(idle_app, training_id, [STARTED, epoch(1), Progress(2, 1, 2, 1.0), Failed("killed", "signal 9")])
    assert fractions[-1] == 0.5
    with idle_app.app_context():
        row = row_of(idle_app, training_id)
        assert row.status == "pending"
    assert claim(idle_app) == [training_id]
    again = [
        Stage("importing"),
        STARTED,
        Progress(1, 1, 2, 1.0),
        epoch(1),
        Progress(2, 1, 2, 1.0),
        Progress(2, 2, 2, 1),
    ]
    more = played(idle_app, training_id, [*again], attempt=2)
    assert more[0] == 0.5
    assert more == sorted(more)
    assert more[-1] == 0.6667


def test_a_pause_shows_the_progress_of_its_checkpoint(idle_app: APIFlask) -> None:
    """Batches after the last complete epoch are lost, and the page shows "Paused after epoch 1 of 3"."""
    training_id = create_training(idle_app, pause_requested=True)
    fractions = played(idle_app, training_id, [STARTED, epoch(1), Progress(2, 1, 2, 1.0), Paused(1, "asked")])
    assert fractions[-1] == 0.3333


def test_every_message_with_progress_has_the_fraction(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    sent: list[RoomMessage] = []
    with idle_app.app_context():
        for one in numbered([Stage("importing"), STARTED, Progress(1, 1, 2, 3.5), epoch(1)]):
            sent += recorder(idle_app).apply(training_id, 1, [one])
    with_fraction = {item.event for item in sent if "fraction" in item.payload.get("progress", {})}
    assert with_fraction == {"training_progress", "training_update"}
