"""Files below a folder of the server, opened part by part without following links: a link that is put in the way
between a check and its use leads nowhere.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.paths import shown

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not hold up anybody


def changed(name: str) -> Unprocessable:
    return Unprocessable(_("%(name)s is a link to a folder, to a path outside the folder, or to nothing.",
                           name=shown(name)))  # fmt: skip


class Beneath:
    """A folder that is held open; a context manager.

    Args:
        base: a folder without links in its path, such as IMPORT_ROOT once resolved.
        parts: the way from there.

    Raises:
        Unprocessable: one of the parts is a link, or no folder.
    """

    def __init__(self, base: Path, parts: Sequence[str] = ()) -> None:
        self.path = base.joinpath(*parts)
        handle = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.handle = self._down(handle, parts)

    def __enter__(self) -> "Beneath":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    @staticmethod
    def _down(handle: int, parts: Sequence[str]) -> int:
        """The folder at these parts; closes the handle that it was given."""
        for part in parts:
            try:
                inner = os.open(part, FOLDER, dir_fd=handle)
            except OSError as error:
                raise changed("/".join(parts)) from error
            finally:
                os.close(handle)
            handle = inner
        return handle

    def file(self, name: str) -> IO[bytes]:
        """A file below it, opened; `name` holds no link any more, see `real_name`.

        Raises:
            Unprocessable: there is no file there, or a link was put in the way.
        """
        *folders, last = name.split("/")
        handle = self._down(os.dup(self.handle), folders)
        try:
            opened = os.open(last, FILE, dir_fd=handle)
        except OSError as error:
            raise changed(name) from error
        finally:
            os.close(handle)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise changed(name)
        return open(opened, "rb")

    def real_name(self, name: str) -> str:
        """Where a link below the folder leads, as a name below it.

        Raises:
            Unprocessable: out of it, to a folder, in a circle, or nowhere.
        """
        found = os.path.relpath(os.path.realpath(self.path / name), self.path)
        if found == os.curdir or found.split("/")[0] == os.pardir:
            raise changed(name)
        try:
            self.file(found).close()
        except Unprocessable:
            raise changed(name) from None
        return found

    def walk(self, pause: Callable[[], None]) -> Iterator[tuple[str, str, int]]:
        """Each file below: its name, the name that it is read by, and its bytes. Links are followed to files."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            handle = self._down(os.dup(self.handle), folder.split("/") if folder else [])
            try:
                with os.scandir(handle) as entries:
                    items = sorted(entries, key=lambda item: item.name)
                for item in items:
                    pause()
                    name = f"{folder}/{item.name}" if folder else item.name
                    if item.is_symlink():
                        real = self.real_name(name)
                        with self.file(real) as file:
                            yield name, real, os.fstat(file.fileno()).st_size
                    elif item.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    elif item.is_file(follow_symlinks=False):
                        yield name, name, item.stat(follow_symlinks=False).st_size
            finally:
                os.close(handle)
