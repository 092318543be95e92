"""The base class of all events."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Event:
    """A message of a child."""

    terminal: ClassVar[bool] = False
    background: ClassVar[bool] = False  # of a thread of its own: no sign that the work gets on
    repeated: ClassVar[bool] = False  # another one, or one of another type, follows within minutes
