"""The events that every program below app/worker/programs can write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from app.core.text_data import TextData
from app.events.base import Event


@dataclass(frozen=True)
class Advanced(Event):
    """How far the work is: `done` of `total`, in what the program counts; `total` is 0 where it is not known."""

    repeated: ClassVar[bool] = True

    done: int
    total: int
    stage: str = ""


@dataclass(frozen=True)
class Finished(Event):
    """The work is done; its result is complete and on the disk."""

    terminal: ClassVar[bool] = True
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused(Event):
    """The input cannot be used; `code` names the text that the kind's service has for it."""

    terminal: ClassVar[bool] = True
    code: str
    data: TextData = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """As of a failure: nothing is wrong with what it was given where the disk has no room for it."""
        return "disk_full" if self.code == "no_space" else "data"


@dataclass(frozen=True)
class Stopped(Event):
    """It ended as requested; nothing of it remains."""

    terminal: ClassVar[bool] = True
