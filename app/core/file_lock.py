"""A lock between processes of one machine."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """Held while its file is open: released when the process ends; children do not inherit it unless they are given its
    descriptor (flock(2)).

    Args:
        path: of the lock file, which is created if missing and is never deleted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def handle(self) -> int | None:
        """The descriptor of its open file; a process that inherits it holds the lock too."""
        return self._handle

    @property
    def held(self) -> bool:
        return self._handle is not None

    def acquire(self, wait: bool = False, shared: bool = False) -> bool:
        """Acquire the lock; False: another process holds it.

        Args:
            wait: block until it is free. shared: hold it together with others that share it, which excludes an
                exclusive holder.

        Raises:
            OSError: its file can't be opened or locked.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
