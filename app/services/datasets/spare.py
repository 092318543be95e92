"""A child that is there before its task: it is begun while a large upload still arrives."""

import threading

from app.jobs.process import Child
from app.services.datasets.children import dismiss, start
from app.services.storage import StorageService


class Spare:
    """At most one child that waits for a task. It ends by itself when none comes for two minutes."""

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage
        self._child: Child | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Have one ready soon."""
        with self._lock:
            if self._child is not None and not self._child.alive():
                dismiss(self._child)
                self._child = None
            if self._child is None:
                self._child = start(self.storage)

    def take(self) -> Child | None:
        """The child, where there is one; it is the caller's now."""
        with self._lock:
            child, self._child = self._child, None
        if child is None or child.alive():
            return child
        dismiss(child)
        return None
