"""The supervisor's side of a training: events to rows, endings, restarts, the queue."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.events import (
    CheckpointSaved,
    Completed,
    Envelope,
    Epoch,
    Event,
    Failed,
    Note,
    Progress,
    Stage,
    Started,
    encode,
)
from app.extensions import db
from app.models import Checkpoint, Training, TrainingMetric
from app.services import process
from app.services.dispatch import Claim, Dispatcher
from app.services.process import Child
from app.services.trainer import TrainingService, params, recover, supervise
from app.services.trainer.apply import apply
from app.services.trainer.supervise import cause_of_death, plain, read_log
from tests.data import valid_dataset


def epoch(number: int, value: float = 0.5) -> Epoch:
    parts = {"train/box_loss": 1.0, "train/cls_loss": 2.0, "val/box_loss": 1.5}
    return Epoch(number, 3, 3.0, 0.1, 0.2, value, value / 2, 1.5, 0.01, parts, 1.0, 2.0)


STARTED = Started("cpu", "scratch", 3, 2, 6, 2, 3_000_000, "AdamW", {"lr0": 0.002}, {})
RUN: list[Event] = [
    Stage("importing"),
    Note("optimizer_auto", {"name": "AdamW", "learning_rate": 0.002}),
    STARTED,
    Progress(1, 1, 2, 3.5),
    Progress(1, 2, 2, 3.0),
    epoch(1),
    CheckpointSaved(1, "checkpoints/epoch-1.pt", False, {}),
    CheckpointSaved(1, "run/weights/best.pt", True, {}),
    epoch(2, 0.7),
    CheckpointSaved(2, "checkpoints/epoch-2.pt", False, {}),
    CheckpointSaved(2, "run/weights/best.pt", True, {}),
    epoch(3, 0.6),
    CheckpointSaved(3, "checkpoints/epoch-3.pt", False, {}),
    Completed("run/weights/best.pt", 3, 2, {"map50": 0.7}, 3.0),
]


def numbered(events: list[Event], first: int = 1) -> list[tuple[int, Envelope]]:
    return [(100 * seq, Envelope(seq, datetime.now(UTC), event)) for seq, event in enumerate(events, first)]


def service(app: APIFlask) -> TrainingService:
    return app.extensions["services"].trainer


def make(app: APIFlask, status: str = "running", **changes: object) -> int:
    """A training in some state; running ones are in their first attempt."""
    dataset_id = valid_dataset(app)
    with app.app_context(), writing() as session:
        row = Training(name="Run", dataset_id=dataset_id, model_version="n", status=status, epochs=3, total_epochs=3)
        if status == "running":
            row.attempt, row.start_time = 1, datetime.now(UTC)
        for name, value in changes.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        return row.id


def row_of(app: APIFlask, training_id: int) -> Training:
    with app.app_context():
        row = db.session.get(Training, training_id)
        assert row is not None
        return row


def wait(app: APIFlask, training_id: int, check: Callable[[Training], bool], seconds: float = 10) -> Training:
    until = time.monotonic() + seconds
    while not check(row := row_of(app, training_id)):
        assert time.monotonic() < until, (row.status, row.progress)
        time.sleep(0.05)
    return row


def write_events(directory: Path, events: list[Event], first: int = 1) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(encode(event, seq) for seq, event in enumerate(events, first))


class FakeWorker:
    """A process that looks like a training child and does what the test says."""

    def __init__(self, directory: Path, code: str = "import time; time.sleep(60)") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", code, "app.worker.train", str(directory)]
        self.process = subprocess.Popen(command, start_new_session=True)
        self.pid = self.process.pid

    @property
    def started(self) -> float:
        return psutil.Process(self.pid).create_time()


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeWorker]]:
    made: list[FakeWorker] = []

    def start(*args: object) -> FakeWorker:
        made.append(FakeWorker(*args))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for worker in made:
        worker.process.kill()
        worker.process.wait()


def test_each_event_is_applied_once(idle_app: APIFlask) -> None:
    training_id = make(idle_app)
    with idle_app.app_context():
        messages = apply(training_id, 1, numbered(RUN[:8]))
        assert apply(training_id, 1, numbered(RUN[:8])) == []
        assert apply(training_id, 2, numbered(RUN)) == [], "an attempt that is not the present one"
        messages += apply(training_id, 1, numbered(RUN))
        assert apply(training_id, 1, numbered(RUN)) == []

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
        kept = db.session.scalars(select(Checkpoint).order_by(Checkpoint.id)).all()
        assert [(item.epoch, item.is_best) for item in kept] == [(2, False), (2, True), (3, False)]
        best = service(idle_app).get_training_status(training_id)["best"]
        assert (best.epoch, best.map50) == (2, 0.7)


def test_a_failed_transaction_leaves_nothing(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    training_id = make(idle_app)
    broken = numbered(RUN[:6])
    object.__setattr__(broken[-1][1].event, "loss", object())  # no column takes this
    with idle_app.app_context():
        with pytest.raises(Exception, match="loss"):
            apply(training_id, 1, broken)
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
    ],
)
def test_every_silent_end_has_a_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, output: str, kind: str
) -> None:
    (tmp_path / "worker.log").write_text(output)
    popen = subprocess.Popen([sys.executable, "-c", code])
    popen.wait()
    monkeypatch.setitem(process._started, popen.pid, popen)
    cause = cause_of_death(Child(tmp_path, popen.pid, 0.0))
    assert cause.kind == kind
    assert cause.error
    assert cause.traceback == output


def test_restart_applies_the_rest(app: APIFlask) -> None:
    """The child ended while no server ran: what it said is applied, from where the last server had come to."""
    training_id = make(app, pid=999_999_9, pid_started=1.0)
    write_events(service(app).attempt_dir(training_id, 1), RUN)
    with app.app_context():
        service(app).reconcile()
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.current_epoch) == ("completed", 3)


def test_restart_finds_a_dead_child(app: APIFlask) -> None:
    training_id = make(app, pid=999_999_9, pid_started=1.0, restarts=recover.TRIES)
    write_events(service(app).attempt_dir(training_id, 1), RUN[:5])
    with app.app_context():
        service(app).reconcile()
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind, row.progress) == ("failed", "killed", {"stage": "failed"})
    assert row.end_time is not None


@pytest.mark.parametrize("known", [True, False], ids=["pid in the row", "server died before it kept the pid"])
def test_restart_follows_a_living_child(app: APIFlask, fake: Callable[..., FakeWorker], known: bool) -> None:
    training_id = make(app)
    directory = service(app).attempt_dir(training_id, 1)
    worker = fake(directory)
    if known:
        with app.app_context(), writing() as session:
            row = session.get_one(Training, training_id)
            row.pid, row.pid_started = worker.pid, worker.started
    write_events(directory, RUN[:6])
    with app.app_context():
        service(app).reconcile()
    wait(app, training_id, lambda row: row.current_epoch == 1)
    write_events(directory, RUN[6:], 7)
    wait(app, training_id, lambda row: row.status == "completed")
    worker.process.kill()
    worker.process.wait()
    until = time.monotonic() + 5
    while training_id in service(app).active_trainings:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_child_that_ignores_everything_is_killed(
    app: APIFlask, fake: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "ASK_S", 0.3)
    monkeypatch.setattr(supervise, "TERM_S", 0.3)
    training_id = make(app)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    worker = fake(service(app).attempt_dir(training_id, 1), code)
    with app.app_context():
        service(app).reconcile()
        assert service(app).cancel_training(training_id) == "running"
    assert wait(app, training_id, lambda row: row.status != "running").status == "cancelled"
    assert worker.process.wait(5) == -signal.SIGKILL


def test_a_child_without_a_pulse_is_killed(
    app: APIFlask, fake: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "SILENT_S", 1.0)
    training_id = make(app, restarts=recover.TRIES)
    worker = fake(service(app).attempt_dir(training_id, 1))
    worker.process.send_signal(signal.SIGSTOP)
    with app.app_context():
        service(app).reconcile()
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind) == ("failed", "stalled")
    assert worker.process.wait(5) == -signal.SIGKILL


def test_a_broken_event_file_is_a_failure(app: APIFlask, fake: Callable[..., FakeWorker]) -> None:
    training_id = make(app)
    directory = service(app).attempt_dir(training_id, 1)
    fake(directory)
    (directory / "events.jsonl").write_text('{"seq": 1}\n')
    with app.app_context():
        service(app).reconcile()
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind) == ("failed", "code")


def queue(app: APIFlask, dispatcher: Dispatcher) -> list[Claim]:
    claims = []
    with app.app_context():
        while (claim := dispatcher.claim()) is not None:
            claims.append(claim)
    return claims


def test_queue_by_priority_then_age(idle_app: APIFlask) -> None:
    first, second, urgent = (make(idle_app, "pending", priority=number) for number in (0, 0, 5))
    dispatcher = Dispatcher([], lambda claim: None)
    order = []
    while claims := queue(idle_app, dispatcher):
        assert len(claims) == 1, "one training on the CPU"
        order.append(claims[0].training_id)
        dispatcher.release(claims[0].training_id)
    assert order == [urgent, first, second]
    row = row_of(idle_app, urgent)
    assert (row.status, row.attempt) == ("running", 1)


def test_queue_with_two_gpus(idle_app: APIFlask) -> None:
    one = make(idle_app, "pending", params={"device": "auto"})
    both = make(idle_app, "pending", params={"device": "0,1"})
    later = make(idle_app, "pending", params={"device": "1"})
    processor = make(idle_app, "pending", params={"device": "cpu"})
    dispatcher = Dispatcher(["4", "7"], lambda claim: None)
    claims = {claim.training_id: claim.devices for claim in queue(idle_app, dispatcher)}
    assert claims == {one: ("4",), processor: ("cpu",)}, "what `both` waits for is not taken by later ones"
    dispatcher.release(one)
    assert [claim.training_id for claim in queue(idle_app, dispatcher)] == [both]
    dispatcher.release(both)
    assert [claim.training_id for claim in queue(idle_app, dispatcher)] == [later]


@pytest.mark.parametrize(
    ("given", "rate", "optimizer", "used"),
    [
        ({}, None, "auto", 0.01),
        ({}, 0.01, "SGD", 0.01),
        ({}, 0.001, "AdamW", 0.001),
        ({"optimizer": "auto"}, 0.02, "SGD", 0.02),
        ({"optimizer": "Adam"}, 0.02, "Adam", 0.02),
        ({"optimizer": "Adam"}, None, "Adam", 0.001),
    ],
)
def test_a_rate_that_is_set_is_used(given: dict[str, str], rate: float | None, optimizer: str, used: float) -> None:
    assert params.with_optimizer(dict(given), rate) == ({"optimizer": optimizer}, used)


def test_log_in_whole_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_bytes(b"\x1b[34m\x1b[1mbold\x1b[0m\n10%\r50%\r100%\nunfinished")
    text, offset = read_log(tmp_path, 0, 1000)
    assert text == "bold\n100%\n"
    assert read_log(tmp_path, offset, 1000) == ("", offset)
    assert plain("a\r\nb") == "a\nb"


def test_failure_texts_name_a_way_out(idle_app: APIFlask) -> None:
    training_id = make(idle_app, halvings=recover.HALVINGS)
    with idle_app.app_context():
        apply(training_id, 1, numbered([Failed("out_of_memory", "CUDA out of memory", "Traceback")]))
        shown = service(idle_app).get_training_status(training_id)
    assert shown["error_kind"] == "out_of_memory"
    assert "CUDA out of memory" in shown["error"]
    assert len(shown["error"]) > len("CUDA out of memory") + 20
