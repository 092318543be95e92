"""What a child process can say: frozen dataclasses, and their JSON codec. Standard library only.

A child appends one JSON object a line to `events.jsonl`: `{"seq", "time", "type", "data"}`, `seq` = 1, 2, 3 ...
The reader applies each once, in order. A file that ends without a terminal event is a failure.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

KEPT_CHECKPOINTS = 2  # resumable copies that stay beside best.pt


@dataclass(frozen=True)
class Event:
    """Something that a child says."""

    terminal: ClassVar[bool] = False


@dataclass(frozen=True)
class Stage(Event):
    """A phase before the first batch: `importing`, `weights`, `dataset`, `model`; later `validating`, `saving`."""

    name: str


@dataclass(frozen=True)
class Download(Event):
    """Progress of a weights download; `total` is 0 when the server does not say. Bytes."""

    name: str
    received: int
    total: int


@dataclass(frozen=True)
class Note(Event):
    """A decision or an incident that the user is told: `code` names the text, `data` fills its places.

    Codes: `weights_official`, `weights_downloaded` (name), `weights_rejected` (name, reason), `weights_scratch`
    (reason), `optimizer_auto` and `optimizer_set` (name, learning_rate), `nan_recovered` (epoch), `batch_reduced`
    (batch).
    """

    code: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Started(Event):
    """The model stands and the first epoch begins."""

    device: str  # "cpu" or the GPU's name
    weights: str  # official or scratch
    epochs: int
    batches: int  # a epoch
    train_images: int
    val_images: int
    parameters: int
    optimizer: str
    arguments: dict[str, Any]  # every ultralytics argument as used
    versions: dict[str, str]


@dataclass(frozen=True)
class Progress(Event):
    """A batch of the present epoch, at most four a second."""

    epoch: int  # from 1
    batch: int  # from 1
    batches: int
    loss: float | None
    parts: dict[str, float] = field(default_factory=dict)
    eta: float | None = None  # seconds until the end of the run


@dataclass(frozen=True)
class Epoch(Event):
    """An epoch with its validation. `loss` and `val_loss` are sums of `parts`; `seconds` covers both."""

    epoch: int  # from 1
    epochs: int
    loss: float | None
    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    val_loss: float | None
    learning_rate: float | None
    parts: dict[str, float | None]
    seconds: float
    eta: float  # seconds until the end


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """Weights were written; `path` is relative to the training's folder."""

    epoch: int
    path: str
    is_best: bool
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Completed(Event):
    """The run ended by itself; `model_path` is relative to the training's folder."""

    terminal: ClassVar[bool] = True
    model_path: str
    epochs: int  # done; fewer than asked after an early stop
    best_epoch: int
    metrics: dict[str, float | None]  # precision, recall, map50, map95 of the best weights
    seconds: float


@dataclass(frozen=True)
class Cancelled(Event):
    """The run ended because it was asked to; `model_path` is None when no weights were saved yet."""

    terminal: ClassVar[bool] = True
    epoch: int
    model_path: str | None


@dataclass(frozen=True)
class Failed(Event):
    """The child gave up. `kind`: out_of_memory, disk_full, data, weights, code."""

    terminal: ClassVar[bool] = True
    kind: str
    error: str
    traceback: str = ""


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


TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Stage, Download, Note, Started, Progress, Epoch, CheckpointSaved, Completed, Cancelled, Failed,
                 Validating, Findings, Validated)
}  # fmt: skip


@dataclass(frozen=True)
class Envelope:
    """A numbered event and when it happened."""

    seq: int
    time: datetime
    event: Event


def encode(event: Event, seq: int) -> str:
    """One line of `events.jsonl`, with its newline; NaN and infinities become null."""
    body = {
        "seq": seq,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
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
        return Envelope(int(body["seq"]), datetime.fromisoformat(body["time"]), event)
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
