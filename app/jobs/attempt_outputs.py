"""Stores what the child of an attempt makes on a worker that shares no volume: as it appears, the rest at its end."""

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
LONGEST_PAUSE_S = 30.0  # between two tries while the store cannot be reached
LOG_S = 10.0  # between two copies of a file that only grows
RECEIVED_S = 30.0  # so long the web's side is waited for: what is in the store is safe
ACKNOWLEDGED_S = 0.2  # between two checks whether it has everything
GROWING = (".log", ".jsonl")
LOCAL_ONLY = {"heartbeat", "stop", "reserve"}  # between a child and its supervisor on one disk

Signature = tuple[int, int, int]  # time of change (ns), bytes, inode
UNREAD: Signature = (0, 0, 0)


class OutputUpload:
    """
    Args:
        bucket: of this installation. data: this worker's data folder.
        prefix: of the attempt's objects. roots: paths below the data folder.
        pushed: called when the store has something new.
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
        self.past_paths: set[str] = set()  # of files that have been here
        self.sequence = 0
        self._recalled = False  # whether `stored` has what an earlier work-horse of this attempt has stored
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
        """A file that was fetched: an output of an earlier attempt is stored already."""
        self.past_paths.add(name)
        if is_below(name, self.roots):
            self.stored[name] = signature(self.data / name), file

    def recall(self) -> None:
        """Read what an earlier work-horse of this attempt has stored."""
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
        """Push until `stop`; whatever happens to the store, the child goes on."""
        pause = PUSH_S
        while not self._ended.wait(pause):
            try:
                self.push()
                pause = PUSH_S
            except StoreAway as error:
                pause = min(2 * pause, LONGEST_PAUSE_S)
                self.outages.note(error, pause)
            except Exception:
                logger.exception("job %s: storing its files", self.job_id)
                pause = LONGEST_PAUSE_S

    def push(self, last: bool = False, again: Sequence[str] = ()) -> None:
        """Store what is new, then its list in one object.

        Args:
            last: everything, as the child has ended. again: paths of files that arrived damaged.

        Raises:
            StoreAway: not all of it is stored.
        """
        with self._lock:
            if not self._recalled:  # an earlier work-horse fetched
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
        """The list of what is stored.

        Args:
            names: paths of the files that are there.
        """
        files = {name: vars(file) for name, (_signature, file) in self.stored.items()}
        removed = sorted(name for name in self.past_paths - names if is_below(name, self.roots))
        return {"sequence": self.sequence, "last": last, "files": files, "removed": removed}

    def paths(self) -> Iterator[str]:
        """Paths of the files that are there, except drafts, links and what is for this disk alone."""
        for name, path in files_below(self.data, self.roots):
            if path.name not in LOCAL_ONLY and not path.name.endswith(".tmp"):
                yield name

    def is_due(self, name: str, last: bool) -> bool:
        """Whether a file may have changed since it was stored, and need not wait for more."""
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
        """Store one file; False where it is incomplete (it is being written now) or the same as before."""
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
            return False  # two halves, perhaps: the next push reads it again
        self.stored[name] = before, file
        self._stored_at[name] = time.monotonic()
        return True

    def deliver(self, check: Callable[[], object]) -> None:
        """Store everything, and wait until the web's side has it; what arrived damaged is stored again.

        Args:
            check: called before each pause while the store cannot be reached; what it raises ends the wait.
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
        """Wait until the web's side has everything, or `end`; the paths of files that arrived damaged there."""
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
    """What changes when a file does."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
