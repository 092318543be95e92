"""Publishes what jobs read in the object store, before they are delivered to workers without a shared volume."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from app.core.files import cached_hash
from app.extensions import db
from app.jobs.files import attempt_prefix, files_below
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.outages import OutageLog
from app.object_store.bucket import Bucket, StoredFile
from app.object_store.errors import StoreAway
from app.object_store.manifests import seal
from app.object_store.packs import publish

logger = logging.getLogger("yolo.storage")

RETRY_S = 5.0  # until the next attempt after the store was unavailable

Attempt = tuple[int, int]  # id of a job, and the number of attempts before the published one


class Publisher:
    """
    Args:
        bucket: of this installation. data: the data folder.
        receive: called with a job that has run before: the last files of that attempt must be received first.
        published: called when a job can be delivered.
    """

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        data: Path,
        kinds: Kinds,
        receive: Callable[[Job], object],
        published: Callable[[], object],
        outages: OutageLog,
    ) -> None:
        self.bucket, self.data, self.kinds, self.outages = bucket, data, kinds, outages
        self.receive, self.published = receive, published
        self.lock = threading.Lock()  # nothing is removed as unused while files are published
        self._ready: set[Attempt] = set()
        self._requests: queue.Queue[Attempt] = queue.Queue()
        self._next_request_at: dict[Attempt, float] = {}

    def is_ready(self, job_id: int, attempt: int) -> bool:
        """Whether a job's next attempt can read its files from the store; missing ones are published in the
        background.
        """
        request = (job_id, attempt)
        if request in self._ready:
            return True
        if time.monotonic() >= self._next_request_at.get(request, 0.0):
            self._next_request_at[request] = float("inf")
            self._requests.put(request)
        return False

    def run(self, app: Flask, is_open: Callable[[], bool]) -> None:
        """Publish requested files until the process closes. The body of a thread."""
        while is_open():
            try:
                request = self._requests.get(timeout=1.0)
            except queue.Empty:
                continue
            try:
                with app.app_context():
                    self.publish(*request)
                self._ready.add(request)
                self._next_request_at.pop(request, None)
                self.published()
            except StoreAway as error:
                self.outages.note(error, RETRY_S)
                self._next_request_at[request] = time.monotonic() + RETRY_S
            except Exception:
                logger.exception("job %s: publishing its files has failed", request[0])
                self._next_request_at[request] = time.monotonic() + RETRY_S

    def publish(self, job_id: int, attempt: int) -> None:
        """Store what the next attempt reads.

        Raises:
            StoreAway: some files are not stored.
            OSError: a file cannot be read.
        """
        job = db.session.get(Job, job_id)
        if job is None or job.attempt != attempt or job.status != JobStatus.PENDING:
            return
        kind = self.kinds[job.kind]
        if kind.files is None:
            return
        if attempt:
            self.receive(job)  # the last files of an attempt whose worker did not wait for their receipt
        files, token = kind.files(job), job.token
        db.session.remove()
        bucket, list_sha256 = self.bucket(), ""
        with self.lock:
            dataset = files.dataset
            if dataset is not None and dataset.content_hash and (self.data / dataset.folder).is_dir():
                folder = self.data / dataset.folder
                list_sha256 = publish(bucket, folder, dataset.content_hash, dataset.relatives)
            stored = {name: vars(self.store(path)) for name, path in files_below(self.data, files.inputs)}
            document = {"list_sha256": list_sha256, "files": stored}
            current = f"{attempt_prefix(token, attempt + 1)}/"
            bucket.put_bytes(f"{current}inputs", seal(document))
            bucket.remove([key for key in bucket.keys(f"jobs/{token}/") if not key.startswith(current)])

    def store(self, path: Path) -> StoredFile:
        """Store a file under its hash, shared by all jobs that read it.

        Raises:
            StoreAway: it is not stored, or changed meanwhile.
            OSError: it cannot be read.
        """
        size, sha256 = path.stat().st_size, cached_hash(path)
        key = f"blobs/{sha256}"
        if self.bucket().size(key) == size:
            return StoredFile(key, sha256, size)
        stored = self.bucket().put_file(key, path)
        if stored.sha256 != sha256:
            raise StoreAway(f"{path.name} was written to while it was read")
        return stored

    def forget_started(self) -> None:
        """Drop the jobs that are not pending any more."""
        ids = [job_id for job_id, _attempt in self._ready]
        rows = db.session.execute(select(Job.id, Job.attempt).where(Job.id.in_(ids), Job.status == JobStatus.PENDING))
        self._ready &= {(row.id, row.attempt) for row in rows}
