"""Opens files below a folder of the server part by part, without following links: a link that is created between a
check and its use leads nowhere.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from app.core.names import printable_name
from app.core.openat import descend, open_folder, opened
from app.worker.failures import InvalidInput

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a FIFO must not block


def changed(name: str) -> InvalidInput:
    return InvalidInput("link_outside", name=printable_name(name))


class ConfinedFolder:
    """An open folder; a context manager.

    Args:
        base: a folder without links in its path, such as the resolved IMPORT_ROOT.
        parts: the path from there.

    Raises:
        InvalidInput: a part, of the base too, is a link, or not a folder.
    """

    def __init__(self, base: Path, parts: Sequence[str] = ()) -> None:
        self.path = base.joinpath(*parts)
        try:
            self.handle = open_folder(self.path)
        except OSError as error:
            raise changed("/".join(parts) or base.name) from error

    def __enter__(self) -> "ConfinedFolder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def _down(self, parts: Sequence[str]) -> int:
        """The descriptor of the folder at these parts."""
        try:
            return descend(os.dup(self.handle), parts)
        except OSError as error:
            raise changed("/".join(parts)) from error

    def file(self, name: str) -> IO[bytes]:
        """An opened file below it; `name` has no links, see `real_name`.

        Raises:
            InvalidInput: there is no such file, or a link has replaced it.
        """
        *folders, last = name.split("/")
        with opened(self._down(folders)) as handle:
            try:
                file = os.open(last, FILE, dir_fd=handle)
            except OSError as error:
                raise changed(name) from error
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise changed(name)
        return open(file, "rb")

    def real_name(self, name: str) -> str:
        """The target of a link below the folder, as a name below it.

        Raises:
            InvalidInput: the target is outside, a folder, a cycle, or missing.
        """
        name_on_disk = os.path.relpath(os.path.realpath(self.path / name), self.path)
        if name_on_disk == os.curdir or name_on_disk.split("/")[0] == os.pardir:
            raise changed(name)
        try:
            self.file(name_on_disk).close()
        except InvalidInput:
            raise changed(name) from None
        return name_on_disk

    def walk(self) -> Iterator[tuple[str, str, int]]:
        """Each file below: its name, the name to open it by, and its size in bytes. Links to files are followed."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with opened(self._down(folder.split("/") if folder else [])) as handle:
                with os.scandir(handle) as entries:
                    items = sorted(entries, key=lambda item: item.name)
                for item in items:
                    name = f"{folder}/{item.name}" if folder else item.name
                    if item.is_symlink():
                        real = self.real_name(name)
                        with self.file(real) as file:
                            yield name, real, os.fstat(file.fileno()).st_size
                    elif item.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    elif item.is_file(follow_symlinks=False):
                        yield name, name, item.stat(follow_symlinks=False).st_size
