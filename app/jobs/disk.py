"""Measures free disk space, and compares it with what jobs need."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskSpace:
    """Free bytes, and how many must be free for work to start."""

    free: int
    needed: int

    @property
    def enough(self) -> bool:
        return self.free >= self.needed

    @property
    def short(self) -> bool:
        """Whether running work should pause: below half of what a start requires, so that it does not pause and resume
        in turns.
        """
        return self.free < self.needed / 2


@dataclass(frozen=True)
class Disk:
    """The disk of a folder, of which `reserve` bytes stay free."""

    folder: Path
    reserve: int

    def space(self) -> DiskSpace:
        return DiskSpace(free_disk(self.folder), self.reserve)


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
