"""Encodes and decodes events as lines of JSON."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from app.events import exports, imports, job, training
from app.events.base import Event

Kind = TypeVar("Kind", bound=Event)

TYPES: dict[str, type[Event]] = {
    name: kind
    for module in (exports, imports, job, training)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}

MOST = 2**63  # range of the database's integers
MOST_LINE = 64 * 1024**2  # bytes; the longest event, with a thousand classes, has some 200 KB


@dataclass(frozen=True)
class Envelope:
    """A numbered event and its time; `worked`: seconds since its process started, by a monotonic clock."""

    seq: int
    time: datetime
    event: Event
    worked: float | None = None


def encode(event: Event, seq: int, worked: float | None = None) -> str:
    """One line of `events.jsonl`, with its newline; NaN and infinities become null."""
    body = {
        "seq": seq,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "worked": worked,
        "type": type(event).__name__,
        "data": finite(asdict(event)),
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False) + "\n"


def decode(line: str) -> Envelope:
    """The event of one line. Unknown fields are dropped.

    Raises:
        ValueError: the line is not a known event.
    """
    try:
        body = json.loads(line)
        kind = TYPES[body["type"]]
        event = event_of(kind, body["data"])
        if not fits(body["seq"], int) or body["seq"] < 1:
            raise ValueError("no number")
        if not fits(body.get("worked"), float | None):
            raise ValueError("no time")
        if "\\u" in line:  # half of a surrogate pair can be neither stored nor sent
            json.dumps(body, ensure_ascii=False).encode()
        return Envelope(body["seq"], datetime.fromisoformat(body["time"]), event, body.get("worked"))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an event: {line[:200]!r}") from error


def event_of(kind: type[Kind], values: Mapping[str, object]) -> Kind:
    """An event with the fields that JSON has of it. Those that this version does not know are left out.

    Raises:
        ValueError: one is of another type.
        TypeError: one is missing.
    """
    hints = field_types(kind.__name__)
    known = {name: value for name, value in values.items() if name in hints}
    if not all(fits(value, hints[name]) for name, value in known.items()):
        raise ValueError("a field of another type")
    return kind(**known)


@cache
def field_types(name: str) -> dict[str, object]:
    """The types of the fields of the event of this name, by name."""
    kind = TYPES[name]
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is valid for a field, by its outer type."""
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return any(fits_one(value, dict if is_typeddict(option) else get_origin(option) or option) for option in options)


def fits_one(value: Any, kind: Any) -> bool:
    """Whether a JSON value is of this type."""
    if value is None:
        return kind in {float, type(None), Any}  # see `finite`: stored as null
    if kind is bool or isinstance(value, bool):
        return isinstance(value, bool) and kind in {bool, Any}
    if kind in {int, float}:
        return isinstance(value, int if kind is int else int | float) and abs(value) < MOST
    return kind is Any or isinstance(value, kind)


def read_events(
    directory: Path, offset: int = 0, damaged: Callable[[int], Any] = lambda _offset: None
) -> Iterator[tuple[int, Envelope]]:
    """Complete lines of `events.jsonl` from byte `offset` on; an incomplete last line is not read.

    Invalid lines are skipped, so that the events before and after them count. A file shorter than `offset` was
    truncated, and is read from the start: readers skip events by their number.

    Args:
        damaged: called with the offset behind each invalid line, and with 0 if the file was truncated.
    """
    try:
        file = open(directory / "events.jsonl", "rb")  # noqa: SIM115 (closed by the with below)
    except FileNotFoundError:
        return
    with file:
        if offset > os.fstat(file.fileno()).st_size:
            damaged(0)
            offset = 0
        file.seek(offset)
        while line := file.readline(MOST_LINE):
            if not line.endswith(b"\n") and len(line) < MOST_LINE:
                return
            offset += len(line)
            try:
                envelope = decode(line.decode("utf-8"))
            except ValueError:
                damaged(offset)
                continue
            yield offset, envelope


def finite(value: Any) -> Any:
    """The value with None for each non-finite number, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
