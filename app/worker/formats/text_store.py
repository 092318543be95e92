"""Stores long strings outside of memory: the polygons of 100,000 images are hundreds of megabytes. Standard library
only.
"""

import os
import tempfile
from typing import IO


class TextStore:
    """Strings in an unnamed file that ends with the process. Each is identified by a number that encodes offset and
    length.

    Raises:
        OSError: the disk is full (ENOSPC).
    """

    SHORT = 160  # characters below which storing is not worthwhile: a box's row has 30
    LONGEST = 1 << 28  # bytes; a row comes from an element of at most 32 MB

    def __init__(self) -> None:
        self.file: IO[bytes] | None = None
        self.size = 0

    def add(self, text: str) -> int:
        """Store a string; its number."""
        if self.file is None:
            # Kept open for the process, and on the data's disk, since /tmp may be in memory.
            self.file = tempfile.TemporaryFile(dir=os.curdir)  # noqa: SIM115
        content = memoryview(text.encode())
        at, length = self.size, len(content)
        while content:
            written = os.pwrite(self.file.fileno(), content, self.size)
            self.size += written
            content = content[written:]
        return at * self.LONGEST + length

    def get(self, number: int) -> str:
        """The string of a number from `add`."""
        if self.file is None:
            raise KeyError(number)
        at, length = divmod(number, self.LONGEST)
        parts = []
        while length:
            part = os.pread(self.file.fileno(), length, at)
            if not part:
                raise KeyError(number)
            at, length = at + len(part), length - len(part)
            parts.append(part)
        return b"".join(parts).decode()


texts = TextStore()
