"""A revision being made: its child process is watched, what it says is committed, then told."""

import json
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from sqlalchemy import select

from app.database import patiently, writing
from app.events import Event, Failed, Ingested, Ingesting, Refused
from app.extensions import socketio
from app.jobs.process import Child, Pulse
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus
from app.notify import to_dashboard
from app.services.datasets import children
from app.services.datasets.children import begin, dismiss, kill, spec
from app.services.datasets.described import describe
from app.services.datasets.outcome import accept, give_up_revision
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

AT_ONCE = 2  # children that work on images; each uses every core
POLL_S = 0.05

slots = threading.BoundedSemaphore(AT_ONCE)


class Board:
    """What is going on now: the child and the progress of each dataset."""

    def __init__(self) -> None:
        self.children: dict[int, Child] = {}
        self.progress: dict[int, dict[str, Any]] = {}

    def end(self, dataset_id: int) -> None:
        """Kill the child of a dataset, and wait until it is gone."""
        child = self.children.get(dataset_id)
        if child is not None:
            kill(child)


@dataclass
class Job:
    """A revision to be made.

    Args:
        created_at: tells the dataset from a later one, since SQLite gives the id of a deleted row again.
        child: it has begun, waits for its place, and has one of the slots; None: it is still to be started.
        offset: how much of what the child said is known.
    """

    dataset_id: int
    number: int
    created_at: datetime
    child: Child | None = None
    offset: int = 0
    has_slot: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)


def supervise(app: APIFlask, supervisor: "Supervisor") -> None:
    """The background task of one revision."""
    with app.app_context():
        supervisor.run()


class Supervisor:
    """Runs the child of one revision to its end."""

    def __init__(self, storage: StorageService, board: Board, job: Job) -> None:
        self.storage, self.board, self.job = storage, board, job
        if job.child is not None:
            board.children[job.dataset_id] = job.child
        self.outcome: Event | None = None
        self.status = str(DatasetStatus.VALIDATING)

    def run(self) -> None:
        """To the row's last status. Needs an application context."""
        if not self.job.has_slot:
            slots.acquire()
        try:
            reason = self.attempt()
            if self.job.child is not None:
                dismiss(self.job.child)
            patiently(lambda: self.conclude(reason))
        finally:
            slots.release()

    def attempt(self) -> dict[str, Any] | None:
        """`watch`, whatever happens: the row must not stay as it is for good."""
        try:
            return self.watch()
        except Exception as error:
            logger.exception("revision %d of dataset %d", self.job.number, self.job.dataset_id)
            return {"code": "failed", "data": {"error": f"{type(error).__name__}: {error}"}}

    def watch(self) -> dict[str, Any] | None:
        """Start the child where it has not begun, and apply its events; why it came to no result, else None."""
        rows = patiently(self.present)
        if rows is None:
            return {"code": "interrupted", "data": {}}
        self.storage.remove_unfinished(self.job.dataset_id)
        folder = self.storage.dataset_dir(self.job.dataset_id)
        if self.job.child is None:
            values = spec(self.storage, folder, self.job.number, self.job.options, self.job.origin)
            self.job.child = begin(self.storage, values)
        self.board.children[self.job.dataset_id] = self.job.child
        draft = self.job.child.directory / ".placed.tmp"
        draft.write_text(json.dumps({"dataset": str(folder)}))
        os.replace(draft, self.job.child.directory / "placed")
        return self.listen(self.job.child)

    def present(self) -> str | None:
        """The dataset's status, while the revision is still to be made."""
        with writing() as session:
            rows = self.rows(session)
            if rows is None:
                return None
            self.status = rows[0].status
            return self.status

    def rows(self, session: Any) -> tuple[Dataset, DatasetRevision] | None:
        """Both rows, while they are those that were to be made."""
        dataset = session.get(Dataset, self.job.dataset_id)
        if dataset is None or dataset.created_at != self.job.created_at:
            return None
        mine = (DatasetRevision.dataset_id == dataset.id) & (DatasetRevision.number == self.job.number)
        revision = session.scalar(select(DatasetRevision).where(mine))
        return (dataset, revision) if revision and revision.status == RevisionStatus.BUILDING else None

    def listen(self, child: Child) -> dict[str, Any] | None:
        """Until the child's terminal event or its end."""
        offset, pulse = self.job.offset, Pulse(child)
        while self.outcome is None:
            alive = child.alive()  # asked first: what it said before its end is still read below
            for position, envelope in child.events(offset):
                offset = position
                self.hear(envelope.event)
            if self.outcome is not None or not alive:
                break
            if pulse.silent_s() > children.STALLED_S:
                kill(child)
                return {"code": "stalled", "data": {}}
            socketio.sleep(POLL_S)
        return self.why_none(child)

    def hear(self, event: Event) -> None:
        """One event of the child."""
        if isinstance(event, Ingesting):
            progress = {"stage": event.stage, "done": event.done, "total": event.total, "revision": self.job.number}
            self.board.progress[self.job.dataset_id] = progress
            self.tell(self.status, progress)
        elif event.terminal:
            self.outcome = event

    def why_none(self, child: Child) -> dict[str, Any] | None:
        """The reason why there is no result; None when there is one."""
        if isinstance(self.outcome, Ingested):
            return None
        if isinstance(self.outcome, Refused):
            return {"code": self.outcome.code, "data": self.outcome.data}
        if isinstance(self.outcome, Failed):
            logger.error("revision %d of dataset %d: %s", self.job.number, self.job.dataset_id, self.outcome.error,
                         extra={"output": self.outcome.traceback})  # fmt: skip
            if self.outcome.kind == "disk_full":
                return {"code": "disk_full", "data": {}}
            return {"code": "failed", "data": {"error": self.outcome.error}}
        code = child.exit_code()
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
        logger.error("revision %d of dataset %d ended (%s)", self.job.number, self.job.dataset_id, how,
                     extra={"output": child.log_tail()})  # fmt: skip
        return {"code": "died", "data": {"how": how}}

    def conclude(self, reason: dict[str, Any] | None) -> None:
        """Write the result, then show and tell it."""
        result = self.outcome if isinstance(self.outcome, Ingested) else None
        replaced: list[Path] = []
        with writing() as session:
            rows = self.rows(session)
            if rows is not None:
                dataset, revision = rows
                if result and reason is None:
                    accept(session, dataset, revision, result)
                    if dataset.revision == self.job.number:  # before anybody can read that it is there
                        replaced = self.storage.show_revision(dataset.id, self.job.number)
                else:
                    give_up_revision(dataset, revision, reason or {"code": "interrupted", "data": {}})
                status, error = str(dataset.status), dataset.error
                failed = revision.status == RevisionStatus.FAILED
        self.board.children.pop(self.job.dataset_id, None)
        self.board.progress.pop(self.job.dataset_id, None)
        if rows is None:  # deleted meanwhile
            return
        if failed:
            self.storage.remove_revision(self.job.dataset_id, self.job.number)
        self.storage.remove_all(replaced)
        describe(self.storage, self.job.dataset_id)
        logger.info("revision %d of dataset %d: %s%s%s", self.job.number, self.job.dataset_id, status,
                    f" after {result.seconds:.2f} s" if result else "", f": {error}" if error else "")  # fmt: skip
        total = sum(result.images.values()) if result else 0
        self.tell(status, {"stage": None, "done": total, "total": total, "revision": self.job.number}, error)

    def tell(self, status: str, progress: Mapping[str, Any], error: str | None = None) -> None:
        to_dashboard(
            "dataset_update",
            {"dataset_id": self.job.dataset_id, "status": status, "error": error} | dict(progress),
        )
