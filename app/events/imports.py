"""The events of a dataset import, beside those of every program."""

from dataclasses import dataclass, field

from app.core.imports import RenamedFiles, SkippedFiles
from app.core.report import Decision
from app.events.base import Event


@dataclass(frozen=True)
class Planned(Event):
    """The source holds a dataset: what it is, how it will be taken, and what came of the upload. Said before any image
    decides about anything, once all files are on the disk."""

    format: str
    root: str  # below the source; "" for all of it
    images: int
    names: list[str]  # empty: nobody named the classes yet
    task: str | None  # None: the labels will show it
    decisions: list[Decision] = field(default_factory=list)
    # As core.imports.Unpacked has them.
    size_bytes: int = 0
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    renamed: RenamedFiles = field(default_factory=RenamedFiles)
    notes: list[Decision] = field(default_factory=list)
