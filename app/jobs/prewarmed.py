"""Starts a child ahead of its job: it loads its program and waits for a task."""

import shutil
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from app.jobs.process import Child


class PrewarmedWorker:
    """At most one idle child of a program. It ends by itself when no task comes for two minutes.

    Its folder is that of a job still to be submitted, whose token `claim_token` returns.

    Args:
        root: the folder of the jobs' files.
        program: the module below `app.worker.programs`.
        environment: of the child, besides the usual variables.
    """

    def __init__(self, root: Path, program: str, environment: Mapping[str, str]) -> None:
        self.root, self.program, self.environment = root, program, environment
        self._ready: Child | None = None
        self._claimed: dict[str, Child] = {}  # by token, until the job starts
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start a child if none is ready."""
        with self._lock:
            if self._ready is not None and not self._ready.alive():
                dismiss(self._ready)
                self._ready = None
            if self._ready is None:
                directory = self.root / uuid.uuid4().hex / "1"
                self._ready = Child.start("run", directory, None, self.environment, options=["--prewarm", self.program])

    def claim_token(self) -> str | None:
        """The token for a job whose first attempt this child will run; None if no child is ready."""
        with self._lock:
            child, self._ready = self._ready, None
            if child is None:
                return None
            if not child.alive():
                dismiss(child)
                return None
            token = child.directory.parent.name
            self._claimed[token] = child
            return token

    def drop(self, token: str) -> None:
        """Release the child of a job that has ended, or whose commit is uncertain; if the job never started, its child
        is killed.
        """
        with self._lock:
            child = self._claimed.pop(token, None)
        if child is not None:
            dismiss(child)

    def pop(self, directory: Path) -> Child | None:
        """The live child in this folder, to be given its task; None if there is none."""
        with self._lock:
            child = self._claimed.get(directory.parent.name)
            if child is None or child.directory != directory:
                return None
            del self._claimed[directory.parent.name]
        return child if child.alive() else None


def dismiss(child: Child) -> None:
    """Kill a child without a job, and remove its folder."""
    child.signal(9)
    child.sweep()
    shutil.rmtree(child.directory.parent, ignore_errors=True)
