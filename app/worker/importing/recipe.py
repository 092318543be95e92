"""The options of a dataset version."""

from dataclasses import dataclass

from app.core.programs import SplitOptions
from app.worker.formats import Options
from app.worker.split import SplitShares


@dataclass
class Recipe:
    """The options of the spec."""

    root: str | None = None
    merge: bool = False
    classes: str = ""
    names: list[str] | None = None
    rename: dict[str, str] | None = None
    split: SplitOptions | None = None
    task: str = "auto"
    format: str | None = None
    reading: list[str] | None = None

    def choices(self, max_classes: int) -> Options:
        reading = tuple(self.reading or ())
        return Options(self.root, self.merge, self.classes, self.task or "auto", self.format, max_classes, reading)

    @property
    def shares(self) -> SplitShares | None:
        return SplitShares(**self.split) if self.split else None
