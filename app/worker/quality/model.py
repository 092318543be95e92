"""Input and output of the quality check. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.report import Finding

Content = bytes  # a Picture has a field of that name


@dataclass(slots=True)
class ImageRecord:
    """What one image file is.

    `width` and `height` are those of the upright image, which YOLO's boxes refer to; 0 where no header was read.
    `sha256` and `bytes` are of the file as a revision stores it: its content followed by `tail`.
    """

    sha256: str = ""
    bytes: int = 0
    width: int = 0
    height: int = 0
    frames: int = 1  # that a training decodes at once
    format: str = ""  # Pillow's name: JPEG, PNG, …
    orientation: int = 1  # EXIF, 1 to 8; 1 is upright
    phash: int | None = None  # 64 bits; None where the image shows too little to be compared
    sharpness: float | None = None  # 0 blurred to 1 sharp
    brightness: float | None = None  # mean grey, 0 to 255
    contrast: float | None = None  # standard deviation of the grey, 0 to 127.5
    thumbnail: bool = False  # whether there is one
    findings: list[Finding] = field(default_factory=list)  # without file
    usable: bool = True  # whether YOLO keeps it
    unsafe: bool = False  # it must not get into a revision's images/: a training would end there, or fill the memory
    stored: Path | None = None  # the file in its place: it was converted
    seconds: float = 0.0  # of processor time that it took to read it
    tail: Content = b""  # to be appended to the stored copy: the end mark of a JPEG that lacks it

    def add(self, severity: str, code: str, unsafe: bool = False, **data: Any) -> "ImageRecord":
        self.usable = self.usable and severity != "error"
        self.unsafe = self.unsafe or unsafe
        self.findings.append({"severity": severity, "code": code, "line": None, "data": data})
        return self


@dataclass(slots=True)
class Entry:
    """One image of a revision with its label.

    Of `label` and `text` at most one is set; neither: there is no label file. `origins` tells for each line of `text`
    the annotation file and the line (or object) there that it came from; findings then name those.
    """

    name: str  # path below images/<split>/
    split: str  # train, val or test
    image: Path  # where the file is
    picture: ImageRecord
    label: Path | None = None  # a YOLO text file, to be linked
    text: str | None = None  # YOLO rows, to be written
    origins: list[tuple[str, int | None]] | None = None
    class_name: str | None = None  # of a classification
    group: int | None = None  # number of its group of near-duplicates
    source: str = ""  # what it is a copy or a frame of, see app/worker/sources.py; "" nothing
    original: str | None = None  # what the upload called it, where that is another name
    findings: Sequence[Finding] = ()  # of the conversion, about this image; complete

    @property
    def file(self) -> str:
        """The image's path below the revision."""
        return f"images/{self.split}/{self.name}"

    @property
    def label_file(self) -> str:
        """The label's path below the revision, as ultralytics finds it."""
        return f"labels/{self.split}/{self.name.rpartition('.')[0]}.txt"
