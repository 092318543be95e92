"""Long texts outside the memory: the outlines of 100,000 images are hundreds of megabytes. Standard library only."""

import os
import tempfile
from typing import IO


class TextStore:
    """Texts in an unnamed file that ends with the process. A text is known by one number: where it is, and how
    long.

    Raises:
        OSError: where there is no room (ENOSPC).
    """

    SHORT = 160  # characters that are not worth it: a row of a box has 30
    LONGEST = 1 << 28  # bytes; a row is from an element of 32 MB at most

    def __init__(self) -> None:
        self.file: IO[bytes] | None = None
        self.size = 0

    def add(self, text: str) -> int:
        """Store a text; its number."""
        if self.file is None:
            # As long as the process, and on the data's disk: /tmp may be memory.
            self.file = tempfile.TemporaryFile(dir=os.curdir)  # noqa: SIM115
        content = memoryview(text.encode())
        at, length = self.size, len(content)
        while content:
            written = os.pwrite(self.file.fileno(), content, self.size)
            self.size += written
            content = content[written:]
        return at * self.LONGEST + length

    def get(self, number: int) -> str:
        """The text of a number that `add` gave."""
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
