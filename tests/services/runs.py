"""Shared helpers for tests of trainings: rows in any state, a child's events, and a process that writes them."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
from apiflask import APIFlask

from app.database import writing
from app.events import (
    CheckpointSaved,
    Completed,
    Envelope,
    Epoch,
    Event,
    Note,
    Progress,
    Stage,
    Started,
    encode,
)
from app.extensions import db
from app.jobs import Job, queue
from app.jobs.disk import DiskSpace
from app.models import Training, TrainingStatus
from app.services.trainer import TrainingService
from app.services.trainer.event_recorder import EventRecorder
from app.services.trainer.transitions import change
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


def recorder(app: APIFlask) -> EventRecorder:
    """What writes down what a child says."""
    return service(app).recorder


def create_training(app: APIFlask, status: str = "running", **changes: object) -> int:
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


def wait(app: APIFlask, training_id: int, check: Callable[[Training], bool], seconds: float = 180) -> Training:
    until = time.monotonic() + seconds
    while not check(row := row_of(app, training_id)):
        assert time.monotonic() < until, (row.status, row.progress)
        time.sleep(0.05)
    return row


def restart(app: APIFlask) -> None:
    """A server's start: every training has a job, and running ones are followed."""
    with app.app_context():
        service(app).reconcile()
        app.extensions["services"].jobs.scheduler.follow()


def claim(app: APIFlask, space: DiskSpace | None = None) -> list[int]:
    """A round of the queue without supervision: the trainings that run now, in order."""
    jobs = app.extensions["services"].jobs
    with app.app_context():
        service(app).reconcile()
        ids = [job_id for job_id, _attempt in queue.claim(jobs.kinds, jobs.devices, space)]
        return [db.session.get_one(Job, job_id).subject_id or 0 for job_id in ids]


def release(app: APIFlask, training_id: int) -> None:
    """Release its devices."""
    with app.app_context(), writing() as session:
        change(session.get_one(Training, training_id), TrainingStatus.CANCELLED)


def write_events(directory: Path, events: list[Event], first: int = 1) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(encode(event, seq) for seq, event in enumerate(events, first))


class FakeWorker:
    """A process that looks like a training child and is controlled by the test."""

    def __init__(
        self, directory: Path, code: str = "import time; time.sleep(600)", main: str = "app.worker.run"
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", code, main, str(directory)]
        self.process = subprocess.Popen(command, start_new_session=True)
        self.pid = self.process.pid

    @property
    def started(self) -> float:
        return psutil.Process(self.pid).create_time()
