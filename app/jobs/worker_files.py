"""The files of an attempt on a worker that shares no volume: fetched before its child starts, stored as they appear."""

import hashlib
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask

from app.core.file_lock import FileLock
from app.core.files import file_hash
from app.database import DATABASE_AWAY
from app.extensions import db
from app.jobs.attempt import AttemptRow, Superseded
from app.jobs.files import AttemptFiles, JobFiles, SharedFiles
from app.jobs.kinds import CannotStart, JobKind
from app.jobs.model import Job
from app.object_store.bucket import Bucket, StoredFile, retrying
from app.object_store.cache import HostCache, NoRoom
from app.object_store.errors import Corrupted, NotStored, StoreAway
from app.object_store.manifests import is_below, seal, unseal
from app.object_store.packs import version_key

logger = logging.getLogger("yolo.storage")

PUSH_S = 2.0  # between two looks for what is new
LOG_S = 10.0  # between two copies of a file that only grows
RECEIVED_S = 30.0  # so long the web's side is waited for: what is in the store is safe
ACKNOWLEDGED_S = 0.2  # between two looks whether it has everything
CHECK_S = 5.0  # between two looks at the row while the store is away
LOGGED_S = 60.0
GROWING = (".log", ".jsonl")
OWN_ALONE = {"heartbeat", "stop", "reserve"}  # of a child and its supervisor on one disk

Sign = tuple[int, int, int]  # time of change (ns), bytes, inode


def prefix(token: str, attempt: int) -> str:
    """Where an attempt has its objects."""
    return f"jobs/{token}/{attempt}"


class WorkerExchange:
    """Of a work-horse.

    Args:
        bucket: of this installation. data: this worker's own data folder. cache: of dataset versions on this host.
        tidy: removes from the data folder what an attempt that was killed left there.
        pushed: called with a job's id when something new of it is in the store.
    """

    def __init__(
        self,
        app: Flask,
        bucket: Callable[[], Bucket],
        data: Path,
        cache: HostCache,
        tidy: Callable[[], object],
        pushed: Callable[[int], object],
    ) -> None:
        self.app, self.data, self.cache, self.pushed = app, data, cache, pushed
        self.tidy = tidy
        self._bucket = bucket
        self.present: AttemptFiles = SharedFiles()

    @property
    def bucket(self) -> Bucket:
        return self._bucket()

    def of_attempt(self, job: Job, kind: JobKind, row: AttemptRow) -> AttemptFiles:
        if kind.files is None:
            return SharedFiles()
        self.present = WorkerFiles(self, job, kind.files(job), row)
        return self.present

    def deliver(self) -> None:
        """What the attempt of this process has made is where it is read."""
        self.present.deliver()

    def receive_last(self, job: Job, check: Callable[[], object]) -> None:
        """A worker follows its own attempts alone."""


class WorkerFiles:
    """
    Args:
        files: what the child reads and makes.
    """

    def __init__(self, exchange: WorkerExchange, job: Job, files: JobFiles, row: AttemptRow) -> None:
        self.exchange, self.files, self.row = exchange, files, row
        self.data, self.job_id = exchange.data, job.id
        self.prefix = prefix(job.token, job.attempt)
        self.sent: dict[str, tuple[Sign, StoredFile]] = {}
        self.known: set[str] = set()  # paths that were here once
        self.sequence = 0
        self.locks: list[FileLock] = []
        self._pushing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._sent_at: dict[str, float] = {}
        self._logged_at = self._checked_at = 0.0
        self._begun = self._read = False  # whether there is a child; and whether it is known what is stored

    # Before the child starts.

    def fetch(self) -> Sequence[int]:
        try:
            retrying(self.fetch_all, self.check_wanted, self.note_away)
        except NoRoom as error:
            raise CannotStart("disk_full", str(error)) from error
        except (NotStored, Corrupted) as error:
            raise CannotStart("killed", f"the files of the job cannot be fetched: {error}") from error
        return [lock.handle for lock in self.locks if lock.handle is not None]

    def fetch_all(self) -> None:
        db.session.remove()  # no transaction stays open meanwhile
        inputs = unseal(self.exchange.bucket.read(f"{self.prefix}/inputs"))
        self.exchange.tidy()
        self.fetch_files({name: StoredFile(**about) for name, about in inputs["files"].items()})
        dataset = self.files.dataset
        if dataset is not None and not inputs["list_sha256"]:
            raise CannotStart("files_missing", "the dataset has no version that can be stored")
        if dataset is not None and not self.locks:
            content = self.exchange.bucket.read(version_key(dataset.content_hash))
            if hashlib.sha256(content).hexdigest() != inputs["list_sha256"]:
                raise Corrupted("the list of the dataset's files is not what was stored")
            cache, list_sha256 = self.exchange.cache, inputs["list_sha256"]
            folder, bucket = cache.data / dataset.folder, self.exchange.bucket
            lock = cache.hold(bucket, dataset.name, folder, content, list_sha256, self.check_wanted)
            self.locks.append(lock)
        self.recall()

    def fetch_files(self, wanted: dict[str, StoredFile]) -> None:
        """Have these files, and no other ones of an earlier attempt on this host."""
        allowed = [*self.files.inputs, *self.files.outputs]
        for name in set(self.paths(self.files.outputs)) - wanted.keys():
            (self.data / name).unlink(missing_ok=True)
        for name, file in wanted.items():
            if not is_below(name, allowed):
                raise Corrupted(f"{name} is none of this job's files")
            self.check_wanted()
            path = self.data / name
            if not (path.is_file() and path.stat().st_size == file.size and file_hash(path) == file.sha256):
                draft = self.data / "tmp" / f"fetched-{self.job_id}-{file.sha256}"
                self.exchange.bucket.fetch(file, draft, self.check_wanted)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft, path)
            self.known.add(name)
            if is_below(name, self.files.outputs):  # it is stored already
                self.sent[name] = sign(path), file

    def check_wanted(self) -> None:
        """
        Raises:
            CannotStart: somebody wants the job stopped, or another run has it.
        """
        if time.monotonic() - self._checked_at < 1.0:
            return
        self._checked_at = time.monotonic()
        with self.exchange.app.app_context():  # maybe in a thread that fetches
            try:
                stopped = self.row.present().stop_mode is not None
            except Superseded as error:
                raise CannotStart("killed", "another run has the job") from error
            except DATABASE_AWAY:
                return
        if stopped:
            raise CannotStart("killed", "stopped before it began")

    # While it runs.

    def begin(self) -> None:
        self._begun = True
        self._thread = threading.Thread(target=self.run, name=f"files-{self.job_id}", daemon=True)
        self._thread.start()

    def recall(self) -> None:
        """What an earlier work-horse of this attempt has stored."""
        stored: Any = {"sequence": 0, "files": {}, "removed": []}
        with suppress(NotStored, Corrupted):
            stored = unseal(self.exchange.bucket.read(f"{self.prefix}/outputs"))
        with suppress(NotStored, Corrupted):
            self.known |= unseal(self.exchange.bucket.read(f"{self.prefix}/inputs"))["files"].keys()
        self.sequence = stored["sequence"]
        nothing = (0, 0, 0)
        self.sent |= {name: (nothing, StoredFile(**about)) for name, about in stored["files"].items()}
        self.known |= self.sent.keys() | set(stored["removed"])
        self._read = True

    def run(self) -> None:
        """A thread: whatever happens to the store, the child goes on."""
        pause = PUSH_S
        while not self._ended.wait(pause):
            try:
                self.push()
                pause = PUSH_S
            except StoreAway as error:
                pause = min(2 * pause, 30.0)
                self.note_away(error, pause)
            except Exception:
                logger.exception("job %s: storing its files", self.job_id)
                pause = 30.0

    def note_away(self, error: StoreAway, wait: float) -> None:
        if time.monotonic() - self._logged_at > LOGGED_S:
            self._logged_at = time.monotonic()
            logger.warning("job %s: the store is away, tried again in %.0f s: %s", self.job_id, wait, error)

    def push(self, last: bool = False, again: Sequence[str] = ()) -> None:
        """Store what is new, then say so in one object.

        Args:
            last: everything, as the child has ended. again: what did not arrive whole.

        Raises:
            StoreAway: not all of it is stored.
        """
        with self._pushing:
            if not self._read:  # an earlier work-horse fetched
                self.recall()
            for name in again:
                self.sent.pop(name, None)
            names = set(self.paths(self.files.outputs))
            changed = [name for name in sorted(names) if self.is_due(name, last)]
            stored = [name for name in changed if self.store(name, last)]
            gone = self.sent.keys() - names
            for name in gone:
                del self.sent[name]
            self.known |= names
            if not stored and not gone and not last:
                return
            self.sequence += 1
            files = {name: vars(file) for name, (_sign, file) in self.sent.items()}
            removed = sorted(name for name in self.known - names if is_below(name, self.files.outputs))
            document = {"sequence": self.sequence, "last": last, "files": files, "removed": removed}
            self.exchange.bucket.put_bytes(f"{self.prefix}/outputs", seal(document))
        self.exchange.pushed(self.job_id)

    def paths(self, roots: Sequence[str]) -> Iterator[str]:
        """The files that are there, but drafts and links."""
        for root in roots:
            top = self.data / root
            found = [top] if top.is_file() else sorted(top.rglob("*"))
            for path in found:
                own = path.name in OWN_ALONE or path.name.startswith(".") or path.name.endswith(".tmp")
                if not own and path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.data).as_posix()

    def is_due(self, name: str, last: bool) -> bool:
        known = self.sent.get(name)
        if known is None:
            return True
        try:
            if sign(self.data / name) == known[0]:
                return False
        except FileNotFoundError:
            return False
        waits = name.endswith(GROWING) and not last
        return not waits or time.monotonic() - self._sent_at.get(name, 0.0) > LOG_S

    def store(self, name: str, last: bool) -> bool:
        """Store one file; False where it is not whole: it is being written now, or the same as before."""
        path, known = self.data / name, self.sent.get(name)
        try:
            before = sign(path)
            if known is not None and known[1].size == before[1] and file_hash(path) == known[1].sha256:
                self.sent[name] = before, known[1]
                return False
            file = self.exchange.bucket.put_file(f"{self.prefix}/out/{uuid.uuid4().hex}", path)
            changed = sign(path) != before
        except FileNotFoundError:
            return False
        if changed and not name.endswith(GROWING) and not last:
            return False  # two halves, perhaps: it is read again at the next look
        self.sent[name] = before, file
        self._sent_at[name] = time.monotonic()
        return True

    def deliver(self) -> None:
        if not self._begun:
            return
        again: Sequence[str] = ()
        end = 0.0
        while True:
            retrying(partial(self.push, True, again), self.check_mine, self.note_away)
            end = end or time.monotonic() + RECEIVED_S
            damaged = self.await_received(end)
            if not damaged:
                return
            logger.error("job %s: %s did not arrive whole: stored again", self.job_id, ", ".join(damaged))
            again = damaged

    def await_received(self, end: float) -> Sequence[str]:
        """Until the web's side has everything, or that takes too long: what of it was not whole there."""
        while time.monotonic() < end:
            try:
                received = unseal(self.exchange.bucket.read(f"{self.prefix}/received"))
                if received["sequence"] >= self.sequence:
                    damaged: list[str] = received["damaged"]
                    return damaged
            except (NotStored, Corrupted, StoreAway):
                pass
            time.sleep(ACKNOWLEDGED_S)
        logger.warning("job %s: its files are in the store; the web process fetches them later", self.job_id)
        return ()

    def check_mine(self) -> None:
        """
        Raises:
            Superseded: the job is another run's.
        """
        if time.monotonic() - self._checked_at < CHECK_S:
            return
        self._checked_at = time.monotonic()
        try:
            self.row.present()
        except DATABASE_AWAY:
            pass
        finally:
            db.session.rollback()

    # Behind its end.

    def close(self) -> None:
        self.stop()
        if not self._begun:
            return
        try:
            self.push(last=True)
        except StoreAway as error:
            self.note_away(error, 0.0)
        for name in self.files.outputs:
            path = self.data / name
            if path.is_file():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path, ignore_errors=True)

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        for lock in self.locks:
            lock.release()
        self.locks = []


def sign(path: Path) -> Sign:
    """What changes when a file does."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def bucket_of(bucket: Bucket, identity: Callable[[], str]) -> Callable[[], Bucket]:
    """That part of a store which is an installation's: two of them may have one bucket.

    Args:
        identity: its id, which is asked for once.
    """
    own: list[Any] = []

    def get() -> Bucket:
        if not own:
            own.append(bucket.below(identity()))
        found: Bucket = own[0]
        return found

    return get
