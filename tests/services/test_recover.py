"""What follows when a run did not end by itself, and what each training is waiting for."""

import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.events import CheckpointSaved, Envelope, Event, Failed, Note, Paused, Stage, Started, encode
from app.extensions import db
from app.jobs.disk import DiskSpace
from app.jobs.process import Child, oom_kills
from app.jobs.recovery import classify
from app.models import Checkpoint, Training, TrainingEvent, TrainingMetric
from app.services.trainer import recover
from app.services.trainer.messages import RoomMessage
from app.services.trainer.texts import NOTES, STARTS_OVER, failure, note
from tests.data import change_settings
from tests.services.runs import STARTED, claim, create_training, epoch, numbered, recorder, row_of, service

PLENTY = DiskSpace(10**12, 10**9)
FULL = DiskSpace(2**29 + 10**6, 10**9)


def report(app: APIFlask, training_id: int, *events: Event, first: int = 1) -> list[RoomMessage]:
    with app.app_context():
        attempt = row_of(app, training_id).attempt
        return recorder(app).apply(training_id, attempt, numbered(list(events), first))


def store_checkpoint(app: APIFlask, training_id: int, number: int) -> None:
    path = service(app).store.folder(training_id) / "checkpoints" / f"epoch-{number}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x")


def codes(row: Training) -> list[str]:
    return [note["code"] for note in row.notes]


def test_a_killed_training_goes_on_from_its_newest_complete_checkpoint(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    store_checkpoint(idle_app, training_id, 9)
    store_checkpoint(idle_app, training_id, 10)
    torn = service(idle_app).store.folder(training_id) / "checkpoints" / "epoch-11.pt"
    torn.write_bytes(b"PK half")
    messages = report(idle_app, training_id, STARTED, epoch(1), Failed("killed", "signal 9"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.resume_from, row.restarts) == ("pending", "checkpoints/epoch-10.pt", 1)
    assert codes(row)[-1] == "restarted_killed"
    assert (row.error, row.end_time) == (None, None)
    assert "training_error" not in [item.event for item in messages]


def test_a_training_whose_program_was_replaced_goes_on(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    report(idle_app, training_id, STARTED, epoch(1), Failed("program_changed", "No module named 'app.worker.gone'"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.restarts, codes(row)[-1]) == ("pending", 1, "restarted_program_changed")


def test_a_child_of_an_earlier_server_whose_program_was_replaced(tmp_path: Path) -> None:
    """Its exit status is unknown, since it is no child of this server: its output has the reason."""
    (tmp_path / "worker.log").write_text("Epoch 1\nModuleNotFoundError: No module named 'app.worker.gone'\n")
    assert classify(Child(tmp_path, 0, 0.0), oom_kills()).kind == "program_changed"


def test_it_fails_after_three_tries_at_the_same_epoch(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    for number in range(1, 5):
        report(idle_app, training_id, Failed("killed", "signal 9"))
        if number < 4:
            assert row_of(idle_app, training_id).restarts == number
            run_again(idle_app, training_id)
    row = row_of(idle_app, training_id)
    assert (row.status, row.error_kind, row.error) == ("failed", "killed", "signal 9")


def test_a_new_epoch_counts_as_getting_on(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, restarts=3)
    report(idle_app, training_id, STARTED, epoch(1), Failed("killed", "signal 9"))
    assert (row_of(idle_app, training_id).status, row_of(idle_app, training_id).restarts) == ("pending", 1)


def run_again(app: APIFlask, training_id: int) -> None:
    assert claim(app, PLENTY) == [training_id]


def test_out_of_memory_halves_the_batch_three_times(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, batch_size=20, halvings=0)
    batches = []
    for _ in range(3):
        report(idle_app, training_id, Failed("out_of_memory", "CUDA out of memory"))
        row = row_of(idle_app, training_id)
        batches.append(row.batch_now)
        assert (row.status, row.batch_size) == ("pending", 20)
        run_again(idle_app, training_id)
    assert batches == [10, 5, 2]
    report(idle_app, training_id, Failed("out_of_memory", "CUDA out of memory"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.error_kind, row.end_time is None) == ("failed", "out_of_memory", False)


@pytest.mark.parametrize("stage", ["importing", "weights", "dataset"])
@pytest.mark.parametrize(
    ("limit", "kind", "advice"), [(700 * 2**20, "memory_limit", "TRAINING_MEMORY_LIMIT"), (0, "memory_start", "Close")]
)
def test_memory_that_does_not_suffice_to_load_is_no_matter_of_the_batch(
    idle_app: APIFlask, stage: str, limit: int, kind: str, advice: str
) -> None:
    change_settings(idle_app, TRAINING_MEMORY_LIMIT=limit)
    training_id = create_training(idle_app, batch_size=16)
    messages = report(idle_app, training_id, Stage(stage), Failed("out_of_memory", "MemoryError"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.error_kind, row.halvings, codes(row)) == ("failed", kind, 0, [])
    assert next(item for item in messages if item.event == "training_error").payload["kind"] == kind
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        assert advice in str(failure(kind, row.error))
    again = create_training(idle_app, batch_size=16)
    report(idle_app, again, Stage(stage), STARTED, Failed("out_of_memory", "MemoryError"))
    assert row_of(idle_app, again).batch_now == 8


@pytest.mark.parametrize(("batch", "devices", "smaller"), [(16, ["0", "1"], 8), (6, ["0", "1"], 2), (1, ["cpu"], None)])
def test_the_batch_fits_the_devices(idle_app: APIFlask, batch: int, devices: list[str], smaller: int | None) -> None:
    training_id = create_training(idle_app, batch_size=batch, devices=devices)
    report(idle_app, training_id, Failed("out_of_memory", "CUDA out of memory"))
    assert row_of(idle_app, training_id).batch_now == smaller


def test_a_full_disk_pauses_until_there_is_space(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    store_checkpoint(idle_app, training_id, 2)
    report(idle_app, training_id, Failed("disk_full", "no space left on device"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.pause_reason, row.resume_from) == ("paused", "disk", "checkpoints/epoch-2.pt")
    pauses = service(idle_app).jobs.record.disk_pauses
    with idle_app.app_context():
        assert pauses.resume(FULL) == []
        assert pauses.resume(DiskSpace(10**9, 10**9)) == [], "its next checkpoint would fill it again"
        messages = pauses.resume(PLENTY)
    row = row_of(idle_app, training_id)
    assert (row.status, row.resume_from) == ("pending", "checkpoints/epoch-2.pt")
    assert [item.event for item in messages] == ["training_note", "training_status"]


def test_a_disk_that_fills_asks_for_a_pause_once(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    pauses = service(idle_app).jobs.record.disk_pauses
    with idle_app.app_context():
        assert pauses.pause(training_id, FULL)
        assert pauses.pause(training_id, FULL) == []
    report(idle_app, training_id, Paused(4, "asked"))
    row = row_of(idle_app, training_id)
    assert (row.status, row.pause_reason, row.pause_requested) == ("paused", "disk", False)


@pytest.mark.parametrize(
    ("flags", "reason", "status"),
    [
        ({"pause_requested": True}, "asked", "paused"),
        ({"pause_requested": True, "stop_requested": True}, "asked", "cancelled"),
        ({}, "asked", "pending"),  # the server was stopped with ON_SHUTDOWN=stop
        ({}, "terminated", "pending"),
        ({"restarts": 3}, "terminated", "paused"),
    ],
)
def test_paused(idle_app: APIFlask, flags: dict[str, object], reason: str, status: str) -> None:
    training_id = create_training(idle_app, **flags)
    report(idle_app, training_id, Paused(1, reason))
    row = row_of(idle_app, training_id)
    assert row.status == status
    assert (row.stop_requested, row.pause_requested) == (status == "cancelled", False)


@pytest.mark.parametrize("kind", ["killed", "out_of_memory", "code"])
def test_stop_wins_over_everything(idle_app: APIFlask, kind: str) -> None:
    training_id = create_training(idle_app, stop_requested=True)
    report(idle_app, training_id, Failed(kind, "x"))
    assert row_of(idle_app, training_id).status == "cancelled"


def test_a_crash_while_pausing_pauses(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, pause_requested=True)
    report(idle_app, training_id, Failed("killed", "signal 9"))
    assert (row_of(idle_app, training_id).status, row_of(idle_app, training_id).pause_reason) == ("paused", "asked")


def test_a_pause_is_no_duration(idle_app: APIFlask) -> None:
    began = datetime(2026, 1, 1, 12, tzinfo=UTC)
    training_id = create_training(idle_app, "paused", start_time=began, updated_at=began + timedelta(seconds=90))
    assert idle_app.test_client().get(f"/api/trainings/{training_id}").get_json()["duration"] == 90.0


def test_unused_weights_are_explained_in_the_readers_language(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    report(idle_app, training_id, Failed("weights", "the download failed"))
    error = idle_app.test_client().get(f"/api/trainings/{training_id}").get_json()["error"]
    assert error == (
        "Não é possível usar os pesos iniciais. Escolha outros pesos ou treine do zero. "
        "Mensagem de erro: o download falhou"
    )


def test_a_stalled_training_goes_to_the_end_of_the_queue(idle_app: APIFlask) -> None:
    training_id, second = create_training(idle_app), create_training(idle_app, "pending")
    report(idle_app, training_id, Failed("stalled", "no heartbeat for 60 s"))
    assert claim(idle_app, PLENTY) == [second]


def test_epochs_beyond_the_checkpoint_come_again(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    report(idle_app, training_id, STARTED, epoch(1), epoch(2), epoch(3), Failed("killed", "signal 9"))
    run_again(idle_app, training_id)
    resumed = Started(**vars(STARTED) | {"start_epoch": 3})
    report(idle_app, training_id, resumed)
    assert row_of(idle_app, training_id).current_epoch == 2
    report(idle_app, training_id, epoch(3, 0.9), first=2)
    with idle_app.app_context():
        rows = db.session.query(TrainingMetric).filter_by(training_id=training_id).order_by(TrainingMetric.epoch).all()
        assert [(item.epoch, item.map50) for item in rows] == [(1, 0.5), (2, 0.5), (3, 0.9)]


def test_epochs_that_only_an_abandoned_process_knew_are_recorded(idle_app: APIFlask) -> None:
    """It trained on until it detected that another machine has its run, which resumes from its newest checkpoint."""
    training_id = create_training(idle_app)
    report(idle_app, training_id, STARTED, epoch(1), epoch(2), Failed("killed", "signal 9"))
    directory = service(idle_app).store.attempt_dir(training_id, row_of(idle_app, training_id).attempt)
    directory.mkdir(parents=True)
    events = [STARTED, epoch(1), epoch(2), epoch(3, 0.7), Note("x"), epoch(4, 0.8), epoch(5, 0.9)]
    lines = [encode(event, number) for number, event in enumerate(events, 1)]
    (directory / "events.jsonl").write_text("".join(lines) + "half a line")
    run_again(idle_app, training_id)
    messages = report(idle_app, training_id, Started(**vars(STARTED) | {"start_epoch": 5}))
    assert [item.payload["epoch"] for item in messages if item.event == "training_update"] == [3, 4]
    assert row_of(idle_app, training_id).current_epoch == 4
    report(idle_app, training_id, epoch(5, 0.6), first=2)
    with idle_app.app_context():
        rows = db.session.query(TrainingMetric).filter_by(training_id=training_id).order_by(TrainingMetric.epoch).all()
        assert [(item.epoch, item.map50) for item in rows] == [(1, 0.5), (2, 0.5), (3, 0.7), (4, 0.8), (5, 0.6)]


def test_numbers_without_gaps(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    messages = report(idle_app, training_id, STARTED, Note("x"), epoch(1), epoch(2), Failed("killed", "signal 9"))
    with idle_app.app_context():
        stored = db.session.query(TrainingEvent).filter_by(training_id=training_id).order_by(TrainingEvent.seq).all()
        assert [item.seq for item in stored] == list(range(1, len(stored) + 1))
        assert [(item.event, item.seq) for item in stored] == [(item.event, item.payload["seq"]) for item in messages]


def test_an_old_attempt_changes_nothing(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    report(idle_app, training_id, Failed("killed", "signal 9"))
    run_again(idle_app, training_id)
    with idle_app.app_context():
        late = [(1, Envelope(1, datetime.now(UTC), epoch(1)))]
        assert recorder(idle_app).apply(training_id, 1, late) == []


def test_checkpoints_that_a_run_does_not_go_on_from_are_forgotten(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    saved = [CheckpointSaved(number, f"checkpoints/epoch-{number}.pt", False, {}) for number in (1, 2, 3)]
    best = CheckpointSaved(3, "checkpoints/best.pt", True, {}, resumable=False)
    report(idle_app, training_id, STARTED, *saved, best)
    assert checkpoint_rows(idle_app) == [(2, False), (3, False), (3, True)]
    again = replace(STARTED, start_epoch=3)
    report(idle_app, training_id, again, first=9)
    assert checkpoint_rows(idle_app) == [(2, False), (3, True)]
    report(idle_app, training_id, STARTED, first=10)
    assert checkpoint_rows(idle_app) == []


def checkpoint_rows(app: APIFlask) -> list[tuple[int, bool]]:
    with app.app_context():
        rows = db.session.scalars(select(Checkpoint).order_by(Checkpoint.epoch, Checkpoint.is_best))
        return [(row.epoch, row.is_best) for row in rows]


def test_a_note_is_stored_and_announced(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    with idle_app.app_context(), writing() as session:
        row = session.get(Training, training_id)
        messages = recover.add_note(row, "disk_low", free=1, needed=2)
        assert [(item.payload["code"], item.payload["level"]) for item in messages] == [("disk_low", "warning")]
    assert codes(row_of(idle_app, training_id)) == ["disk_low"]
    assert Path(service(idle_app).store.folder(training_id)).name == str(training_id)


def test_before_the_first_epoch_a_run_starts_over(idle_app: APIFlask) -> None:
    """Not "after epoch 0", which does not exist."""
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        for code in STARTS_OVER:
            first, later = (note(code, {"epoch": epoch, "batch": 8, "smaller": 4}) for epoch in (0, 3))
            assert "epoch 0" not in first
            assert "starts over" in first
            assert "after epoch 3" in later
        named = {code for code, text in NOTES.items() if "after epoch %(epoch)s" in str(text)}
        assert named - {"resumed"} == STARTS_OVER.keys(), "a run resumes from a checkpoint, which an epoch has left"
