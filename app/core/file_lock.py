"""A lock between processes of one machine."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """Held as long as its file is open: it ends with its process, and children do not inherit it (flock(2)).

    Args:
        path: of its file, which is made where there is none and stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def handle(self) -> int | None:
        """Its open file; a process that gets it has the lock, too."""
        return self._handle

    @property
    def held(self) -> bool:
        return self._handle is not None

    def acquire(self, wait: bool = False, shared: bool = False) -> bool:
        """Take it; False: another process has it.

        Args:
            wait: until it is free, instead. shared: with others that share it; none of them may have it alone.

        Raises:
            OSError: its file can't be opened, or locked.
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
