"""The base class of all events."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Event:
    """A message of a child."""

    terminal: ClassVar[bool] = False
    background: ClassVar[bool] = False  # sent by a background thread: not a sign of progress
    repeated: ClassVar[bool] = False  # followed by another event of any type within minutes
