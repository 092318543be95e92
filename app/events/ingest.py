"""What an ingest child can say."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.events.base import Event


@dataclass(frozen=True)
class Planned(Event):
    """The source holds a dataset: what it is, and how it will be taken. Said before any image is decoded."""

    format: str
    root: str  # below the source; "" for all of it
    images: int
    names: list[str]  # empty: nobody named the classes yet
    task: str | None  # None: the labels will show it
    decisions: list[dict[str, Any]] = field(default_factory=list)  # {"code", "data", "change"} each


@dataclass(frozen=True)
class Refused(Event):
    """The source holds no dataset that could be used; `code` names the text of services/datasets/texts.py."""

    terminal: ClassVar[bool] = True
    code: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ingesting(Event):
    """Progress of a stage: `reading` (files), `scanning` (images), `splitting`, `building` (images), `checking`."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Ingested(Event):
    """The revision is built and on the disk. Counts are images and objects that training will use."""

    terminal: ClassVar[bool] = True
    number: int
    hash: str
    format: str
    task: str
    names: list[str]
    images: dict[str, int]  # all, by split
    usable: dict[str, int]  # that training will not drop, by split
    boxes: dict[str, int]  # by class index
    findings: dict[str, int]  # by code
    severities: dict[str, int]  # by severity
    left_out: dict[str, int]  # images that training will not use, by code of the first error
    decisions: list[dict[str, Any]]
    samples: list[int]  # image ids of the index, for a first look
    size_bytes: int
    seconds: float
    outside: list[str] = field(default_factory=list)  # files of the source that belong to nothing: the first ones
    outside_count: int = 0
    fixable: int = 0  # findings that can be mended
    root: str = ""  # below the source
    source_names: list[str] = field(default_factory=list)  # before classes were renamed
    keypoints: dict[str, Any] | None = None
    effects: dict[str, Any] = field(default_factory=dict)  # what the fixes did, by code
