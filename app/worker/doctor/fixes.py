"""Mends what can be mended, on the way from one revision to the next. Nothing that is there is written to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.worker.doctor.examine import Examination
from app.worker.doctor.model import Entry

FIXABLE: frozenset[str] = frozenset()  # the codes of findings that can be mended


@dataclass
class Done:
    """What one fix did: `images` changed, moved or dropped, `rows` changed or dropped, the first 20 `files`."""

    code: str
    images: int = 0
    rows: int = 0
    files: list[str] = field(default_factory=list)


def apply_fixes(
    entries: list[Entry], codes: list[str] | str, spec: Examination, store: Callable[[bytes, str], Path]
) -> tuple[list[Entry], list[Done]]:
    """The entries of the next revision, and what was done.

    Args:
        entries: of the base; left as they are.
        codes: of FIXABLE, or "all".
        spec: as `examine` gets it; its task is needed to turn boxes into polygons or the other way.
        store: puts the bytes of a new image file with this suffix (".jpg") where objects are, and says where.

    An entry whose label was mended has `text` in place of `label`; one whose image was saved anew has another `image`
    and `picture`; one that was moved has another `split`. Dropped ones are gone.
    """
    raise NotImplementedError
