"""What an export child can say."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.events.base import Event


@dataclass(frozen=True)
class Exporting(Event):
    """Progress of an export, in images."""

    done: int
    total: int


@dataclass(frozen=True)
class Exported(Event):
    """The ZIP is whole and on the disk. `notes`: what its format cannot hold, {"code", "count"} each."""

    terminal: ClassVar[bool] = True
    images: int
    objects: int
    bytes: int
    seconds: float
    notes: list[dict[str, Any]] = field(default_factory=list)
