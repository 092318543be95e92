"""The types that every format's reader returns. Standard library only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.readings import answer
from app.core.report import Alternative, Decision, Finding, Keypoints
from app.core.tasks import TASKS
from app.worker.failures import InvalidInput as InvalidInput
from app.worker.formats.text_store import texts


class Row:
    """One object of a format other than YOLO.

    Args:
        text: the YOLO row: class and normalized numbers, 6 decimals, trimmed; a long one is stored in a file.
        file: its annotation file, below the source.
        line: its line there, or the object's number from 1.
    """

    __slots__ = ("_text", "file", "line")

    def __init__(self, text: str, file: str, line: int | None) -> None:
        self.text, self.file, self.line = text, file, line

    @property
    def text(self) -> str:
        return self._text if isinstance(self._text, str) else texts.get(self._text)

    @text.setter
    def text(self, text: str) -> None:
        self._text: str | int = text if len(text) <= texts.SHORT else texts.add(text)


@dataclass(slots=True)
class Item:
    """One image with its label."""

    image: str  # path below the source folder
    name: str  # path below images/<split>/ in the version; unique over the entire source, ignoring case
    split: str | None  # "train", "val", "test" as given; None: not given
    label: str | None = None  # an uploaded YOLO file (path below the source), to be linked unchanged
    rows: list[Row] | None = None  # of other formats; `label` and `rows` both None: no label
    class_name: str | None = None  # classification
    size: tuple[int, int] | None = None  # width and height in pixels, if the annotation file has them


@dataclass
class Source:
    """A dataset as read. Names of two items differ in their stems, unless they share a label file."""

    format: str
    root: str  # below the source folder; "": the source folder
    task: str | None  # None: determined by the YOLO label files
    names: list[str]  # empty: no class names
    items: list[Item]
    decisions: list[Decision] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    keypoints: Keypoints | None = None  # kpt_shape, and flip_idx if known
    outside: list[str] = field(default_factory=list)  # images and label files without a use

    def pop_image_findings(self) -> dict[str, list[Finding]]:
        """Remove the findings about images from `findings`; returns them by image."""
        images = {item.image for item in self.items}
        by_image: dict[str, list[Finding]] = {}
        rest: list[Finding] = []
        for entry in self.findings:
            image = entry["data"].get("of")
            if image is not None:
                entry["data"] = {name: value for name, value in entry["data"].items() if name != "of"}
            of_item = isinstance(image, str) and image in images
            (by_image.setdefault(str(image), []) if of_item else rest).append(entry)
        self.findings = rest
        return by_image


@dataclass
class DetectedDataset:
    """A detected dataset."""

    format: str
    root: str  # below the source folder; "": the source folder
    images: int
    labels: int  # label or annotation files
    complete: bool  # has images and labels
    candidates: list["DetectedDataset"] = field(
        default_factory=list, repr=False
    )  # all detected ones, best first; set by detect
    hint: Any = field(default=None, repr=False, compare=False)  # data from the detection, for the reader

    @property
    def where(self) -> str:
        """Its root for messages."""
        return self.root or "/"


@dataclass(frozen=True)
class Options:
    """The user's choices. The default of each means automatic.

    `root` is a path in the archive; if that has several formats, preceded by one of app/core/formats.py and a colon:
    "voc:data".
    """

    root: str | None = None
    merge: bool = False  # merge all datasets of the archive, classes by name
    classes: str = ""  # names from the form, comma separated
    task: str = "auto"
    format: str | None = None  # the same as before the colon
    max_classes: int = 1000
    reading: tuple[str, ...] = ()  # of app.core.readings; at most one per question

    def chosen(self, question: str) -> str | None:
        """The chosen reading for a question; None: automatic."""
        return answer(self.reading, question)


def decision(code: str, parameter: str | None = None, options: list[Any] | None = None, /, **data: Any) -> Decision:
    """An entry of the report; `parameter` changes it."""
    change: Alternative | None = {"parameter": parameter, "options": options or []} if parameter else None
    return {"code": code, "data": data, "change": change}


def task_decision(task: str, alternatives: list[str]) -> Decision:
    """The requested task; `alternatives` match the labels too."""
    return decision("task_wished", "task", [item for item in TASKS if item == task or item in alternatives], task=task)


def finding(severity: str, code: str, file: str | None, line: int | None = None, /, **data: Any) -> Finding:
    """Something that the conversion dropped or repaired; `line`: in the file, or an object's number from 1.

    `of` in the data: the image concerned, as `Item.image`; see `Source.pop_image_findings`.
    """
    return {"severity": severity, "code": code, "file": file, "line": line, "data": data}


def below(folder: Path, path: str) -> Path:
    """The file at a path below the source."""
    return folder / path if path else folder
