"""Encodes and decodes events as lines of JSON."""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from app.events import exports, imports, job, training
from app.events.base import Event

TYPES: dict[str, type[Event]] = {
    name: kind
    for module in (exports, imports, job, training)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}

FIELDS = {  # the types of each event's fields, by name
    name: {field.name: get_type_hints(kind)[field.name] for field in fields(kind)} for name, kind in TYPES.items()
}
MOST = 2**63  # the database's integers
MOST_LINE = 64 * 1024**2  # bytes; the longest event, with a thousand classes, has some 200 KB


@dataclass(frozen=True)
class Envelope:
    """A numbered event and when it happened; `worked`: seconds that its process had run then, by a steady clock."""

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
    """The event of one line. Fields that this version does not know are left out.

    Raises:
        ValueError: the line is no event that this version knows.
    """
    try:
        body = json.loads(line)
        kind = TYPES[body["type"]]
        hints = FIELDS[body["type"]]
        fields = {name: value for name, value in body["data"].items() if name in hints}
        if not all(fits(value, hints[name]) for name, value in fields.items()):
            raise ValueError("a field of another type")
        if not fits(body["seq"], int) or body["seq"] < 1:
            raise ValueError("no number")
        if not fits(body.get("worked"), float | None):
            raise ValueError("no time")
        if "\\u" in line:  # half of a pair: it could be neither stored nor sent
            json.dumps(body, ensure_ascii=False).encode()
        return Envelope(body["seq"], datetime.fromisoformat(body["time"]), kind(**fields), body.get("worked"))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an event: {line[:200]!r}") from error


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON may stand in a field, by its outer type."""
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return any(fits_one(value, dict if is_typeddict(option) else get_origin(option) or option) for option in options)


def fits_one(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of this one type."""
    if value is None:
        return kind in {float, type(None), Any}  # not a number, see `finite`
    if kind is bool or isinstance(value, bool):
        return isinstance(value, bool) and kind in {bool, Any}
    if kind in {int, float}:
        return isinstance(value, int if kind is int else int | float) and abs(value) < MOST
    return kind is Any or isinstance(value, kind)


def read_events(
    directory: Path, offset: int = 0, damaged: Callable[[int], Any] = lambda _offset: None
) -> Iterator[tuple[int, Envelope]]:
    """Complete lines of `events.jsonl` from byte `offset` on; a line that is still being written is left.

    Lines that are no events are passed over: one of them must not cost what was said before and after. Where the file
    is shorter than `offset` it was cut, and is read from its beginning: events have numbers, who knows them passes on.

    Args:
        damaged: called with the place of each line that is no event, and with 0 where the file was cut.
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
    """The value with None for each number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
