"""The events that every program below app/worker/programs can write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from app.core.text_data import TextData
from app.events.base import Event


@dataclass(frozen=True)
class Advanced(Event):
    """Progress: `done` of `total`, in units of the program; `total` 0: unknown."""

    repeated: ClassVar[bool] = True

    done: int
    total: int
    stage: str = ""


@dataclass(frozen=True)
class Finished(Event):
    """The work is done; its result is complete on the disk."""

    terminal: ClassVar[bool] = True
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused(Event):
    """The input cannot be used; `code` selects the text of the kind's service."""

    terminal: ClassVar[bool] = True
    code: str
    data: TextData = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The code of a failure: a full disk is not an invalid input."""
        return "disk_full" if self.code == "no_space" else "data"


@dataclass(frozen=True)
class Stopped(Event):
    """It ended as requested; nothing of it remains."""

    terminal: ClassVar[bool] = True
