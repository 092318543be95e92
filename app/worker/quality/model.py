"""Input and output of the quality check. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.report import Finding

Content = bytes  # since ImageRecord has a field `bytes`


@dataclass(slots=True)
class ImageRecord:
    """The properties of an image file.

    `width` and `height` are those of the upright image, to which YOLO's boxes refer; 0 if the header could not be read.
    `sha256` and `bytes` are of the file as stored in a version: its contents followed by `tail`.
    """

    sha256: str = ""
    bytes: int = 0
    width: int = 0
    height: int = 0
    frames: int = 1  # that a training decodes at once
    format: str = ""  # Pillow's name: JPEG, PNG, …
    orientation: int = 1  # EXIF, 1 to 8; 1 is upright
    phash: int | None = None  # 64 bits; None if the image has too little detail to be compared
    sharpness: float | None = None  # 0 blurred to 1 sharp
    brightness: float | None = None  # mean gray, 0 to 255
    contrast: float | None = None  # standard deviation of gray, 0 to 127.5
    thumbnail: bool = False  # whether there is one
    findings: list[Finding] = field(default_factory=list)  # without file
    usable: bool = True  # whether YOLO can use it
    unsafe: bool = False  # must not be in a version's images/: a training would end there, or run out of memory
    stored: Path | None = None  # the converted file to use instead
    seconds: float = 0.0  # CPU time of reading it
    tail: Content = b""  # appended to the stored copy: the missing end marker of a JPEG

    def add(self, severity: str, code: str, unsafe: bool = False, **data: Any) -> "ImageRecord":
        self.usable = self.usable and severity != "error"
        self.unsafe = self.unsafe or unsafe
        self.findings.append({"severity": severity, "code": code, "line": None, "data": data})
        return self


@dataclass(slots=True)
class Entry:
    """One image of a version with its label.

    At most one of `label` and `text` is set; neither: no label file. `origins` has for each line of `text` the
    annotation file and the line (or object) in it, which findings then name.
    """

    name: str  # path below images/<split>/
    split: str  # train, val or test
    image: Path  # the file's path
    picture: ImageRecord
    label: Path | None = None  # a YOLO text file, to be linked
    text: str | None = None  # YOLO rows, to be written
    origins: list[tuple[str, int | None]] | None = None
    class_name: str | None = None  # of a classification
    group: int | None = None  # number of its group of near-duplicates
    source: str = ""  # what it is a copy or a frame of, see app/worker/sources.py; "": nothing
    original: str | None = None  # the uploaded name, if it differs
    findings: Sequence[Finding] = ()  # of the conversion, about this image; complete

    @property
    def file(self) -> str:
        """The image's path below the revision."""
        return f"images/{self.split}/{self.name}"

    @property
    def label_file(self) -> str:
        """The label's path below the version, where ultralytics expects it."""
        return f"labels/{self.split}/{self.name.rpartition('.')[0]}.txt"
