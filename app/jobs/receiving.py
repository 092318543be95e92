"""Receives what the children of jobs on workers without a shared volume have stored, and writes it to the
data folder.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, select

from app.core.files import file_hash
from app.extensions import db
from app.jobs.files import attempt_prefix
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.object_store.bucket import Bucket, StoredFile
from app.object_store.errors import Corrupted, NotStored
from app.object_store.manifests import is_below, seal, unseal

logger = logging.getLogger("yolo.storage")

POLL_S = 3.0  # between two checks of all running jobs; one with a hint is checked at once


@dataclass
class Mailbox:
    """What has been received from an attempt."""

    sequence: int = 0
    hashes: dict[str, str] = field(default_factory=dict)  # by path
    keys: set[str] = field(default_factory=set)
    last: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Receiver:
    """
    Args:
        bucket: of this installation. data: the data folder.
        completed: called with a job that has ended, once its files are here.
    """

    def __init__(
        self, bucket: Callable[[], Bucket], data: Path, kinds: Kinds, completed: Callable[[Job], object]
    ) -> None:
        self.bucket, self.data, self.kinds, self.completed = bucket, data, kinds, completed
        self.mailboxes: dict[str, Mailbox] = {}  # by prefix of the attempt
        self._hints: set[int] = set()
        self._polled_at = 0.0

    def hint(self, job_id: Any) -> None:
        """A worker has stored new files of this job."""
        self._hints.add(int(job_id))

    def receive_due(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        """Receive the files of every job that may have new ones.

        Raises:
            StoreAway: some files were not received.
            OSError: the disk is full or fails.
        """
        hints, self._hints = self._hints, set()
        with app.app_context():
            rows = self.due(hints)
            db.session.remove()

        def work(row: Job) -> None:
            with app.app_context():
                self.receive(row)
                if JobStatus(row.status).ended:
                    self.close(row)
                db.session.remove()

        list(pool.map(work, rows))

    def due(self, hints: set[int]) -> list[Job]:
        """The jobs with a hint, and every POLL_S all that run on workers."""
        condition: ColumnElement[bool] = Job.id.in_(hints)
        if time.monotonic() - self._polled_at > POLL_S:
            self._polled_at = time.monotonic()
            condition |= (Job.status == JobStatus.RUNNING) & Job.runner.is_not(None)
        elif not hints:
            return []
        rows = [row for row in db.session.scalars(select(Job).where(condition)) if self.is_receivable(row)]
        for row in rows:
            db.session.expunge(row)
        return rows

    def is_receivable(self, row: Job) -> bool:
        """Whether the job has files, and they are newer than those here."""
        return self.kinds[row.kind].files is not None and self.is_newest(row)

    def is_newest(self, row: Job) -> bool:
        """Whether the subject has no later job, whose files would be newer."""
        if row.status == JobStatus.RUNNING or row.subject_id is None:
            return True
        if self.kinds[row.kind].record is None:  # each job has its own outputs
            return True
        same = (Job.kind == row.kind) & (Job.subject_type == row.subject_type) & (Job.subject_id == row.subject_id)
        return db.session.scalar(select(Job.id).where(same, Job.id > row.id).limit(1)) is None

    def mailbox(self, row: Job) -> Mailbox:
        return self.mailboxes.setdefault(attempt_prefix(row.token, row.attempt), Mailbox())

    def receive(self, row: Job) -> None:
        """Write what an attempt has stored so far to the data folder.

        Raises:
            StoreAway: some files were not received.
            OSError: the disk is full or fails.
        """
        mailbox, prefix, bucket = self.mailbox(row), attempt_prefix(row.token, row.attempt), self.bucket()
        with mailbox.lock:
            try:
                document = unseal(bucket.read(f"{prefix}/outputs"))
            except NotStored:
                return
            except Corrupted as error:
                logger.error("job %s: %s", row.id, error)
                return
            if document["sequence"] == mailbox.sequence:
                return
            files = self.kinds[row.kind].files
            roots = files(row).outputs if files is not None else ()
            db.session.remove()
            damaged = self.write(row.id, mailbox, document, roots)
            if document["last"] or damaged:
                answer = {"sequence": document["sequence"], "damaged": damaged}
                bucket.put_bytes(f"{prefix}/received", seal(answer))
            if not damaged:
                mailbox.sequence, mailbox.last = document["sequence"], document["last"]
                keys = {about["key"] for about in document["files"].values() if is_below(about["key"], ["jobs"])}
                bucket.remove(mailbox.keys - keys)
                mailbox.keys = keys

    def write(self, job_id: int, mailbox: Mailbox, document: Any, roots: Sequence[str]) -> list[str]:
        """Write the files of a list, and delete removed ones; the paths of damaged files."""
        damaged = []
        for name, about in document["files"].items():
            file, path = StoredFile(**about), self.data / name
            if not is_below(name, roots) or not is_below(file.key, ["jobs", "blobs"]):
                logger.error("job %s: %s is not one of its files", job_id, name)
                continue
            if mailbox.hashes.get(name) == file.sha256 and path.is_file():
                continue
            if path.is_file() and path.stat().st_size == file.size and file_hash(path) == file.sha256:
                mailbox.hashes[name] = file.sha256
                continue
            draft = self.data / "tmp" / f"received-{uuid.uuid4().hex}"
            try:
                self.bucket().fetch(file, draft)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft, path)
                mailbox.hashes[name] = file.sha256
            except (Corrupted, NotStored) as error:
                logger.error("job %s: %s: %s", job_id, name, error)
                damaged.append(name)
            finally:
                draft.unlink(missing_ok=True)
        for name in document["removed"]:
            if is_below(name, roots):
                (self.data / name).unlink(missing_ok=True)
                mailbox.hashes.pop(name, None)
        return damaged

    def close(self, row: Job) -> None:
        """Remove the objects of an ended job once all of its files are here."""
        if not self.mailbox(row).last:
            return
        self.bucket().remove(self.bucket().keys(f"jobs/{row.token}/"))
        self.mailboxes.pop(attempt_prefix(row.token, row.attempt), None)
        self.completed(row)
