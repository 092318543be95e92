"""Events as lines of JSON."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.events import ingest, job, training
from app.events.base import Event

TYPES: dict[str, type[Event]] = {
    name: kind
    for module in (ingest, job, training)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}


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
    """The event of one line.

    Raises:
        ValueError: the line is no event that this version knows.
    """
    try:
        body = json.loads(line)
        event = TYPES[body["type"]](**body["data"])
        return Envelope(int(body["seq"]), datetime.fromisoformat(body["time"]), event, body.get("worked"))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event: {line[:200]!r}") from error


def read_events(directory: Path, offset: int = 0) -> Iterator[tuple[int, Envelope]]:
    """Complete lines of `events.jsonl` from byte `offset` on; a line that is still being written is left."""
    try:
        file = open(directory / "events.jsonl", "rb")  # noqa: SIM115 (closed by the with below)
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield offset, decode(line.decode("utf-8"))


def finite(value: Any) -> Any:
    """The value with None for each number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
