"""What all events share."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Event:
    """Something that a child says."""

    terminal: ClassVar[bool] = False
