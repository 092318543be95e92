"""What a validation child can say."""

from dataclasses import dataclass
from typing import Any, ClassVar

from app.events.base import Event


@dataclass(frozen=True)
class Validating(Event):
    """Progress of a dataset validation, in images."""

    done: int
    total: int


@dataclass(frozen=True)
class Findings(Event):
    """Some findings: `{"severity", "code", "file", "line", "data"}` each; see worker/validate.py for the codes."""

    items: list[dict[str, Any]]


@dataclass(frozen=True)
class Validated(Event):
    """The dataset was read to its end. Counts are images and boxes that training will use."""

    terminal: ClassVar[bool] = True
    images: dict[str, int]  # all, by split
    usable: dict[str, int]  # that training will not drop, by split
    boxes: dict[str, int]  # by class index
    largest_class: int  # -1 without boxes
    findings: dict[str, int]  # by code
    seconds: float
    task: str = "detect"  # as asked for, or as the labels show it
