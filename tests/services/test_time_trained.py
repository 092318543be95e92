"""The working time of a training: without queue, pauses and idle machines; the wall time is shown beside it."""

from datetime import timedelta

from apiflask import APIFlask

from app.database import writing
from app.events import Envelope, Event, Failed, Paused, Progress, decode, encode
from app.models import Training, TrainingStatus, now
from app.services.trainer.job_record import begin as begin_attempt
from app.services.trainer.transitions import change
from tests.services.runs import RUN, STARTED, create_training, epoch, recorder, row_of


def enveloped(events: list[tuple[Event, float]]) -> list[tuple[int, Envelope]]:
    """Events with their process's working time in seconds."""
    return [(100 * seq, Envelope(seq, now(), event, worked)) for seq, (event, worked) in enumerate(events, 1)]


def begin(app: APIFlask, training_id: int, **changes: object) -> int:
    """Start its next attempt; returns the attempt's number."""
    with app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        if changes.pop("status", row.status) != row.status:
            change(row, TrainingStatus.PENDING)
        for name, value in changes.items():
            setattr(row, name, value)
        begin_attempt(row, row.attempt + 1, ("cpu",))
        return row.attempt


def test_attempts_add_up_and_what_lies_between_does_not_count(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, status="pending", start_time=None)
    with idle_app.app_context():
        attempt = begin(idle_app, training_id)
        with writing() as session:  # an hour ago, so that the wall time differs
            session.get_one(Training, training_id).start_time = now() - timedelta(hours=1)
            session.get_one(Training, training_id).pause_requested = True
        recorder(idle_app).apply(
            training_id, attempt, enveloped([(STARTED, 9.0), (epoch(1), 60.0), (Paused(1, "asked"), 65.5)])
        )
    client = idle_app.test_client()
    assert client.get(f"/api/trainings/{training_id}").get_json()["training_seconds"] == 65.5
    attempt = begin(idle_app, training_id, status="pending", resume_from="checkpoints/epoch-1.pt")
    with idle_app.app_context():
        recorder(idle_app).apply(training_id, attempt, enveloped([(Progress(2, 1, 2, 1.0), 4.5)]))
        assert row_of(idle_app, training_id).training_seconds == 70.0
        recorder(idle_app).apply(
            training_id, attempt, enveloped([(Progress(2, 1, 2, 1.0), 4.5), (epoch(2), 30.0), (RUN[-1], 34.5)])
        )
    body = client.get(f"/api/trainings/{training_id}").get_json()
    assert body["status"] == "completed"
    assert body["training_seconds"] == 100.0
    assert body["duration"] >= 3600, "the contract's figure stays what it is"
    compared = client.get(f"/api/trainings/compare?ids={training_id}").get_json()["trainings"][0]
    assert compared["training_seconds"] == 100.0


def test_a_crash_preserves_the_training_time_and_a_restart_resets_it(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, status="pending", start_time=None)
    attempt = begin(idle_app, training_id)
    with idle_app.app_context():
        recorder(idle_app).apply(
            training_id, attempt, enveloped([(STARTED, 9.0), (epoch(1), 60.0), (Failed("killed", "signal 9"), 61.0)])
        )
    attempt = begin(idle_app, training_id, resume_from="checkpoints/epoch-1.pt")
    assert row_of(idle_app, training_id).training_seconds == 61.0
    begin(idle_app, training_id, status="pending", resume_from=None)
    assert row_of(idle_app, training_id).training_seconds == 0.0, "as its start time: all of it comes again"


def test_the_clock_is_in_the_event_and_older_ones_do_without() -> None:
    assert decode(encode(STARTED, 3, 12.5)).worked == 12.5
    line = encode(STARTED, 3).replace('"worked": null, ', "")
    assert "worked" not in line
    assert decode(line).worked is None
