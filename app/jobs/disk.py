"""Measures free disk space, and compares it with what jobs need."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskSpace:
    """Bytes that are free, and how many must be for work to start."""

    free: int
    needed: int

    @property
    def enough(self) -> bool:
        return self.free >= self.needed

    @property
    def short(self) -> bool:
        """Whether what runs should pause: at half of what must be free to start, so that it does not go on and off."""
        return self.free < self.needed / 2


@dataclass(frozen=True)
class Disk:
    """The disk of a folder, of which `reserve` bytes stay free."""

    folder: Path
    reserve: int

    def space(self) -> DiskSpace:
        return DiskSpace(free_disk(self.folder), self.reserve)


def free_disk(folder: Path) -> int:
    """Bytes that are free for us where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
