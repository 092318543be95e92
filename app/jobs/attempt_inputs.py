"""Fetches what the child of an attempt reads, before it starts, to a worker without a shared volume."""

import hashlib
import os
import time
from typing import TYPE_CHECKING

from app.core.file_lock import FileLock
from app.core.files import file_hash
from app.database import DATABASE_UNAVAILABLE
from app.extensions import db
from app.jobs.attempt import AttemptRow, Superseded
from app.jobs.attempt_outputs import OutputUpload
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart
from app.object_store.bucket import StoredFile
from app.object_store.errors import Corrupted
from app.object_store.manifests import is_below, unseal
from app.object_store.packs import version_key

if TYPE_CHECKING:
    from app.jobs.worker_files import WorkerExchange

CHECK_S = 1.0  # between two reads of the row


class InputFetch:
    """
    Args:
        files: what the child reads and writes. prefix: of the attempt's objects.
        outputs: is notified of files of an earlier attempt, which are already stored.
    """

    def __init__(
        self, exchange: "WorkerExchange", files: JobFiles, prefix: str, row: AttemptRow, outputs: OutputUpload
    ) -> None:
        self.exchange, self.files, self.prefix = exchange, files, prefix
        self.row, self.outputs = row, outputs
        self.data = exchange.data
        self.locks: list[FileLock] = []
        self._checked_at = 0.0

    def fetch(self) -> None:
        """
        Raises:
            CannotStart: the job is to stop, has another attempt, or its dataset cannot be stored.
            NotStored: an input is not in the store.
            Corrupted: an input is damaged.
            StoreAway: the store became unavailable before all inputs were fetched.
            DiskTooFull: there is not enough disk.
        """
        db.session.remove()  # no transaction stays open meanwhile
        inputs = unseal(self.exchange.bucket.read(f"{self.prefix}/inputs"))
        self.exchange.tidy()
        self.fetch_files({name: StoredFile(**about) for name, about in inputs["files"].items()})
        self.fetch_dataset(inputs["list_sha256"])
        self.outputs.recall()

    def fetch_dataset(self, list_sha256: str) -> None:
        """Fetch the version of the dataset to this host's cache, and lock it.

        Args:
            list_sha256: of its file list; "": it could not be stored.
        """
        dataset, cache, bucket = self.files.dataset, self.exchange.cache, self.exchange.bucket
        if dataset is None:
            return
        if not list_sha256:
            raise CannotStart("files_missing", "the dataset has no version that can be stored")
        if not self.locks:
            content = bucket.read(version_key(dataset.content_hash))
            if hashlib.sha256(content).hexdigest() != list_sha256:
                raise Corrupted("the list of the dataset's files is not what was stored")
            folder = cache.data / dataset.folder
            lock = cache.hold(bucket, dataset.name, folder, content, list_sha256, self.check_startable)
            self.locks.append(lock)

    def fetch_files(self, files: dict[str, StoredFile]) -> None:
        """Fetch these files, by path, and remove other files of an earlier attempt on this host."""
        allowed = [*self.files.inputs, *self.files.outputs]
        for name in set(self.outputs.paths()) - files.keys():
            (self.data / name).unlink(missing_ok=True)
        for name, file in files.items():
            if not is_below(name, allowed):
                raise Corrupted(f"{name} is none of this job's files")
            self.check_startable()
            path = self.data / name
            if not (path.is_file() and path.stat().st_size == file.size and file_hash(path) == file.sha256):
                draft = self.data / "tmp" / f"fetched-{self.row.job_id}-{file.sha256}"
                self.exchange.bucket.fetch(file, draft, self.check_startable)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft, path)
            self.outputs.note_fetched(name, file)

    def check_startable(self) -> None:
        """
        Raises:
            CannotStart: the job is to stop, or has another attempt.
        """
        if time.monotonic() - self._checked_at < CHECK_S:
            return
        self._checked_at = time.monotonic()
        with self.exchange.app.app_context():  # may run in a thread that fetches
            try:
                stopped = self.row.present().stop_mode is not None
            except Superseded as error:
                raise CannotStart("killed", "another run has the job") from error
            except DATABASE_UNAVAILABLE:
                return
        if stopped:
            raise CannotStart("killed", "stopped before it began")

    def release(self) -> None:
        """Unlock the dataset, so that the cache may evict it."""
        for lock in self.locks:
            lock.release()
        self.locks = []
