"""installation.json of the data folder: its installation's id, and the highest ids used.

There are two copies: either may be lost or damaged.
"""

import json
import logging
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.core.files import atomic_write_text
from app.services.storage.damaged import set_file_aside

logger = logging.getLogger("yolo.installation")

NAMES = ("installation.json", ".installation.json")
KINDS = ("dataset", "training", "test")
MOST = 10**9  # higher ids are considered damage
UUID = re.compile(r"[0-9a-f]{32}")


def new_uuid() -> str:
    return uuid4().hex


@dataclass
class Mark:
    """The content of installation.json.

    Args:
        uuid: the same as Installation.uuid of the database.
        highest: the highest id of each kind whose row was committed.
        earlier: of other databases that the folder was paired with.
        pairing: it was written before the database's side was committed; a start has ended in between.
    """

    uuid: str
    highest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    earlier: list[str] = field(default_factory=list)
    pairing: bool = False

    def belongs_to(self, uuid: str) -> bool:
        return uuid == self.uuid or uuid in self.earlier

    def hand_over(self, uuid: str) -> None:
        """Pair the folder with another database."""
        if uuid != self.uuid:
            self.earlier = [*(earlier for earlier in self.earlier if earlier != uuid), self.uuid]
            self.uuid = uuid

    def raise_to(self, ids: dict[str, int]) -> bool:
        """Raise the highest ids; returns whether any was raised."""
        before = dict(self.highest)
        self.highest = {kind: max(before[kind], ids.get(kind, 0)) for kind in KINDS}
        return self.highest != before


def read(folder: Path) -> Mark | None:
    """The mark of a data folder; None: there is no readable one. A damaged copy is set aside."""
    marks = [mark for name in NAMES if (mark := read_copy(folder / name))]
    if not marks:
        return None
    for copy in marks[1:]:
        marks[0].raise_to(copy.highest)
    return marks[0]


def read_copy(path: Path) -> Mark | None:
    """One copy of the mark; None: it is missing, or damaged and was set aside."""
    try:
        return parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        logger.warning("%s is damaged: %s", path, error)
        set_file_aside(path)
        return None


def parse(values: Any) -> Mark:
    """The installation's mark from its JSON.

    Raises:
        ValueError: it is not a mark.
        TypeError: the same.
        KeyError: the same.
        AttributeError: the same.
        OverflowError: the same.
    """
    if not UUID.fullmatch(values["uuid"]):
        raise ValueError("no id")
    highest = {kind: int(values["highest"].get(kind, 0)) for kind in KINDS}
    if not all(0 <= number <= MOST for number in highest.values()):
        raise ValueError("no ids")
    earlier = [text for text in values.get("earlier", []) if UUID.fullmatch(text)]
    return Mark(values["uuid"], highest, earlier, values.get("pairing") is True)


def write(folder: Path, mark: Mark) -> None:
    """Write both copies, each atomically.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(asdict(mark), indent=1)
    for name in NAMES:
        atomic_write_text(folder / name, text)
