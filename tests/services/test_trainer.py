"""From a child's events to rows, causes of an end, texts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import event, select

from app.events import Event, Failed, Figures, Progress
from app.extensions import db
from app.jobs import process
from app.jobs.process import Child
from app.jobs.recovery import classify
from app.models import Checkpoint, Training, TrainingMetric
from app.services.trainer import params, recover
from app.services.trainer.messages import LogPiece
from app.services.trainer.output import read_log, without_controls
from tests.services.runs import RUN, STARTED, create_training, epoch, numbered, recorder, service


def test_each_event_is_applied_once(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    with idle_app.app_context():
        messages = recorder(idle_app).apply(training_id, 1, numbered(RUN[:8]))
        assert recorder(idle_app).apply(training_id, 1, numbered(RUN[:8])) == []
        assert recorder(idle_app).apply(training_id, 2, numbered(RUN)) == [], "an attempt that is not the present one"
        messages += recorder(idle_app).apply(training_id, 1, numbered(RUN))
        assert recorder(idle_app).apply(training_id, 1, numbered(RUN)) == []

        names = [item.event for item in messages]
        assert names.count("training_update") == 3
        assert names.count("training_progress") == 2, "a run of progress is sent as its last"
        assert names[-2:] == ["training_completed", "training_status"]
        numbers = [item.payload["seq"] for item in messages]
        assert numbers == sorted(set(numbers))

        row = db.session.get_one(Training, training_id)
        assert (row.status, row.current_epoch, row.learning_rate, row.event_seq) == ("completed", 3, 0.002, len(RUN))
        assert row.event_offset == 100 * len(RUN)
        assert row.model_path == f"models/{training_id}/run/weights/best.pt"
        metrics = db.session.scalars(select(TrainingMetric).order_by(TrainingMetric.epoch)).all()
        assert [item.epoch for item in metrics] == [1, 2, 3]
        checkpoints = db.session.scalars(select(Checkpoint).order_by(Checkpoint.id)).all()
        assert [(item.epoch, item.is_best) for item in checkpoints] == [(2, False), (2, True), (3, False)]
        best = service(idle_app).get_training_status(training_id)["best"]
        assert (best.epoch, best.map50) == (2, 0.7)


def test_a_failed_transaction_leaves_nothing(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    training_id = create_training(idle_app)
    broken = numbered(RUN[:6])
    object.__setattr__(broken[-1][1].event, "loss", object())  # no column accepts this
    with idle_app.app_context():
        with pytest.raises(Exception, match="loss"):
            recorder(idle_app).apply(training_id, 1, broken)
        row = db.session.get_one(Training, training_id)
        assert (row.event_seq, row.notes, row.seq) == (0, [], 0)
    object.__setattr__(broken[-1][1].event, "loss", 3.0)


@pytest.mark.parametrize(
    ("code", "output", "kind"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "", "killed"),
        ("raise SystemExit(3)", "", "code"),
        ("raise SystemExit(0)", "", "code"),
        ("raise SystemExit(1)", "OSError: [Errno 28] No space left on device", "disk_full"),
        ("raise SystemExit(1)", "torch.OutOfMemoryError: CUDA out of memory. Tried", "out_of_memory"),
        ("raise SystemExit(1)", "ModuleNotFoundError: No module named 'app.worker.gone'\n", "program_changed"),
        ("raise SystemExit(1)", "ImportError: cannot import name 'x' from 'app.core' (/a/app)", "program_changed"),
        ("raise SystemExit(1)", "ModuleNotFoundError: No module named 'apples'", "code"),
        ("raise SystemExit(1)", "OpenBLAS error: Memory allocation still failed after 10 retries", "out_of_memory"),
    ],
)
def test_every_silent_end_has_a_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, output: str, kind: str
) -> None:
    (tmp_path / "worker.log").write_text(output)
    popen = subprocess.Popen([sys.executable, "-c", code])
    popen.wait()
    monkeypatch.setitem(process._started, popen.pid, popen)
    cause = classify(Child(tmp_path, popen.pid, 0.0), process.oom_kills())
    assert cause.kind == kind
    assert cause.error
    assert cause.traceback == output


@pytest.mark.parametrize(
    ("options", "rate", "optimizer", "used"),
    [
        ({}, None, "auto", 0.01),
        ({}, 0.01, "SGD", 0.01),
        ({}, 0.001, "AdamW", 0.001),
        ({"optimizer": "auto"}, 0.02, "SGD", 0.02),
        ({"optimizer": "Adam"}, 0.02, "Adam", 0.02),
        ({"optimizer": "Adam"}, None, "Adam", 0.001),
    ],
)
def test_a_rate_that_is_set_is_used(options: dict[str, str], rate: float | None, optimizer: str, used: float) -> None:
    assert params.with_optimizer(dict(options), rate) == ({"optimizer": optimizer}, used)


def test_log_in_complete_lines_without_control_codes(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_bytes(b"\x1b[34m\x1b[1mbold\x1b[0m\n10%\r50%\r100%\nunfinished")
    text, offset = read_log(tmp_path, 0, 1000)
    assert text == "bold\n100%\n"
    assert read_log(tmp_path, offset, 1000) == ("", offset)
    assert without_controls("a\r\nb") == "a\nb"


def test_failure_texts_name_a_way_out(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, halvings=recover.HALVINGS)
    with idle_app.app_context():
        recorder(idle_app).apply(training_id, 1, numbered([Failed("out_of_memory", "CUDA out of memory", "Traceback")]))
        status = service(idle_app).get_training_status(training_id)
    assert status["error_kind"] == "out_of_memory"
    assert "CUDA out of memory" in status["error"]
    assert len(status["error"]) > len("CUDA out of memory") + 20


def test_progress_figures_and_log_wait_for_no_disk(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk is only for what must not be lost: an epoch, a checkpoint, a note, an ending."""
    waited: list[int] = []

    def record(session: Any) -> None:
        waited.append(session.connection().exec_driver_sql("PRAGMA synchronous").scalar())

    event.listen(db.session, "before_commit", record)
    training_id = create_training(idle_app)
    waited.clear()
    figures = Figures(1.0, 1, 2, 3, 4.0, 5.0, 6.0, 7.0)
    batches: list[list[Event]] = [
        [STARTED],
        [Progress(1, 1, 2, 3.5)],
        [figures],
        [],
        [Progress(1, 2, 2, 3.0), figures],
        [epoch(1)],
    ]
    try:
        with idle_app.app_context():
            first = 1
            for batch in batches:
                log = None if batch else LogPiece(1, 0, 5, "line\n")
                recorder(idle_app).apply(training_id, 1, numbered(batch, first), log)
                first += len(batch)
    finally:
        event.remove(db.session, "before_commit", record)
    normal, full = 1, 2
    assert waited == [full, normal, normal, normal, normal, full]
