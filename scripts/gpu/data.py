"""The drawn dataset, shared by all checks."""

import os
import subprocess
import zipfile
from functools import cached_property
from pathlib import Path

from scripts.drawing import start_drawing
from scripts.gpu.outcome import require


class DrawnData:
    """Images of shapes, as a ZIP in YOLO layout.

    Args:
        folder: the ZIP is created below it.
        images, size: their number, and their side in pixels. A fifth is for validation.
    """

    def __init__(self, folder: Path, images: int, size: int) -> None:
        self.folder, self.images, self.size = folder, images, size
        self.validation = images // 5
        self.training = images - self.validation

    @cached_property
    def archive(self) -> Path:
        """The ZIP; drawn in one process per core."""
        parts = min(self.validation, len(os.sched_getaffinity(0)))
        children = [self._draw_part(part, parts) for part in range(parts)]
        target = self.folder / "shapes.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for part, (child, path) in enumerate(children):
                require(child.wait() == 0, f"the data could not be drawn: see {path.parent}")
                copy_entries(path, archive, part)
                path.unlink()
        return target

    def _draw_part(self, part: int, parts: int) -> tuple[subprocess.Popen[bytes], Path]:
        val, train = share(self.validation, part, parts), share(self.training, part, parts)
        return start_drawing(self.folder / "drawing" / str(part), train=train, val=val, size=self.size, seed=part)

    def image(self) -> bytes:
        """A validation image, as a JPEG."""
        with zipfile.ZipFile(self.archive) as archive:
            return archive.read(next(name for name in archive.namelist() if name.startswith("images/val/")))


def share(count: int, part: int, parts: int) -> int:
    """How many of `count` the part gets."""
    return count * (part + 1) // parts - count * part // parts


def copy_entries(source: Path, target: zipfile.ZipFile, part: int) -> None:
    """Copy the images and labels of a part, under unique names; data.yaml once."""
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            folder, _, file = name.rpartition("/")
            if folder:
                target.writestr(f"{folder}/{part:03}-{file}", archive.read(name))
            elif part == 0:
                target.writestr(name, archive.read(name))
