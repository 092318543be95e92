"""The events of a dataset import, beside those of every program."""

from dataclasses import dataclass, field

from app.core.imports import RenamedFiles, SkippedFiles
from app.core.report import Decision
from app.events.base import Event


@dataclass(frozen=True)
class Planned(Event):
    """The source holds a dataset: its contents, how it will be read, and the result of unpacking. Sent before any image
    is read, once all files are on the disk.
    """

    format: str
    root: str  # below the source; "" for all of it
    images: int
    names: list[str]  # empty: no class names were found yet
    task: str | None  # None: decided later by the labels
    decisions: list[Decision] = field(default_factory=list)
    # As in core.imports.Unpacked.
    size_bytes: int = 0
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    renamed: RenamedFiles = field(default_factory=RenamedFiles)
    notes: list[Decision] = field(default_factory=list)
