"""Stores the output files of an attempt's child on a worker without a shared volume: each as it appears, the rest at
the end.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from app.core.files import file_hash
from app.jobs.files import files_below
from app.jobs.outages import OutageLog
from app.object_store.bucket import Bucket, StoredFile, retrying
from app.object_store.errors import Corrupted, NotStored, StoreAway
from app.object_store.manifests import is_below, seal, unseal

logger = logging.getLogger("yolo.storage")

PUSH_S = 2.0  # between two checks for new files
LONGEST_PAUSE_S = 30.0  # between two attempts while the store is unavailable
LOG_S = 10.0  # between two copies of a file that only grows
RECEIVED_S = 30.0  # longest wait for the web process to receive the files: in the store, they are safe
ACKNOWLEDGED_S = 0.2  # between two checks whether it has received everything
GROWING = (".log", ".jsonl")
LOCAL_ONLY = {"heartbeat", "stop", "reserve"}  # for the child and its supervisor alone, on the same disk

Signature = tuple[int, int, int]  # time of change (ns), bytes, inode
UNREAD: Signature = (0, 0, 0)


class OutputUpload:
    """
    Args:
        bucket: of this installation. data: this worker's data folder.
        prefix: of the attempt's objects. roots: paths below the data folder.
        pushed: called after new files were stored.
    """

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        data: Path,
        job_id: int,
        prefix: str,
        roots: Sequence[str],
        pushed: Callable[[], object],
        outages: OutageLog,
    ) -> None:
        self.bucket, self.data, self.job_id, self.prefix = bucket, data, job_id, prefix
        self.roots, self.pushed, self.outages = roots, pushed, outages
        self.stored: dict[str, tuple[Signature, StoredFile]] = {}  # by path
        self.past_paths: set[str] = set()  # paths of all files seen so far
        self.sequence = 0
        self._recalled = False  # whether `stored` includes what an earlier work-horse of this attempt has stored
        self._stored_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Store new files from now on, in a thread."""
        self._thread = threading.Thread(target=self.run, name=f"files-{self.job_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def note_fetched(self, name: str, file: StoredFile) -> None:
        """Record a fetched file: an output of an earlier attempt is already stored."""
        self.past_paths.add(name)
        if is_below(name, self.roots):
            self.stored[name] = signature(self.data / name), file

    def recall(self) -> None:
        """Read the list of what an earlier work-horse of this attempt has stored."""
        stored: Any = {"sequence": 0, "files": {}, "removed": []}
        with suppress(NotStored, Corrupted):
            stored = unseal(self.bucket().read(f"{self.prefix}/outputs"))
        with suppress(NotStored, Corrupted):
            self.past_paths |= unseal(self.bucket().read(f"{self.prefix}/inputs"))["files"].keys()
        self.sequence = stored["sequence"]
        self.stored |= {name: (UNREAD, StoredFile(**about)) for name, about in stored["files"].items()}
        self.past_paths |= self.stored.keys() | set(stored["removed"])
        self._recalled = True

    def run(self) -> None:
        """Push until `stop`. Errors of the store do not end the child."""
        pause = PUSH_S
        while not self._ended.wait(pause):
            try:
                self.push()
                pause = PUSH_S
            except StoreAway as error:
                pause = min(2 * pause, LONGEST_PAUSE_S)
                self.outages.note(error, pause)
            except Exception:
                logger.exception("job %s: storing its files has failed", self.job_id)
                pause = LONGEST_PAUSE_S

    def push(self, last: bool = False, again: Sequence[str] = ()) -> None:
        """Store new and changed files, then the list of all files as one object.

        Args:
            last: store everything; the child has ended. again: paths of files that arrived damaged.

        Raises:
            StoreAway: some files are not stored.
        """
        with self._lock:
            if not self._recalled:  # the inputs were fetched by an earlier work-horse
                self.recall()
            for name in again:
                self.stored.pop(name, None)
            names = set(self.paths())
            changed = [name for name in sorted(names) if self.is_due(name, last)]
            new = [name for name in changed if self.store(name, last)]
            removed = self.stored.keys() - names
            for name in removed:
                del self.stored[name]
            self.past_paths |= names
            if not new and not removed and not last:
                return
            self.sequence += 1
            self.bucket().put_bytes(f"{self.prefix}/outputs", seal(self.document(names, last)))
        self.pushed()

    def document(self, names: set[str], last: bool) -> dict[str, object]:
        """The list of the stored files.

        Args:
            names: paths of the existing files.
        """
        files = {name: vars(file) for name, (_signature, file) in self.stored.items()}
        removed = sorted(name for name in self.past_paths - names if is_below(name, self.roots))
        return {"sequence": self.sequence, "last": last, "files": files, "removed": removed}

    def paths(self) -> Iterator[str]:
        """Paths of the existing files, except drafts, links and files for this disk alone."""
        for name, path in files_below(self.data, self.roots):
            if path.name not in LOCAL_ONLY and not path.name.endswith(".tmp"):
                yield name

    def is_due(self, name: str, last: bool) -> bool:
        """Whether a file may have changed since it was stored, and should be stored now."""
        stored = self.stored.get(name)
        if stored is None:
            return True
        try:
            if signature(self.data / name) == stored[0]:
                return False
        except FileNotFoundError:
            return False
        waits = name.endswith(GROWING) and not last
        return not waits or time.monotonic() - self._stored_at.get(name, 0.0) > LOG_S

    def store(self, name: str, last: bool) -> bool:
        """Store one file; False if it is still being written, or unchanged."""
        path, stored = self.data / name, self.stored.get(name)
        try:
            before = signature(path)
            if stored is not None and stored[1].size == before[1] and file_hash(path) == stored[1].sha256:
                self.stored[name] = before, stored[1]
                return False
            file = self.bucket().put_file(f"{self.prefix}/out/{uuid.uuid4().hex}", path)
            changed = signature(path) != before
        except FileNotFoundError:
            return False
        if changed and not name.endswith(GROWING) and not last:
            return False  # it changed while it was read: the next push reads it again
        self.stored[name] = before, file
        self._stored_at[name] = time.monotonic()
        return True

    def deliver(self, check: Callable[[], object]) -> None:
        """Store everything, and wait until the web process has received it; files that arrived damaged are stored
        again.

        Args:
            check: called before each pause while the store is unavailable; an exception ends the wait.
        """
        again: Sequence[str] = ()
        end = 0.0
        while True:
            retrying(partial(self.push, True, again), check, self.outages.note)
            end = end or time.monotonic() + RECEIVED_S
            damaged = self.await_received(end)
            if not damaged:
                return
            logger.error("job %s: arrived damaged, stored again: %s", self.job_id, ", ".join(damaged))
            again = damaged

    def await_received(self, end: float) -> Sequence[str]:
        """Wait until the web process has received everything, or until `end`; paths of files that arrived damaged."""
        while time.monotonic() < end:
            try:
                received = unseal(self.bucket().read(f"{self.prefix}/received"))
                if received["sequence"] >= self.sequence:
                    damaged: list[str] = received["damaged"]
                    return damaged
            except (NotStored, Corrupted, StoreAway):
                pass
            time.sleep(ACKNOWLEDGED_S)
        logger.warning("job %s: its files are in the store; the web process fetches them later", self.job_id)
        return ()


def signature(path: Path) -> Signature:
    """Values that change when the file changes."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
