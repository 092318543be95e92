"""The events of child processes: frozen dataclasses, and their JSON codec. Standard library only.

A child appends one JSON object per line to `events.jsonl`: `{"seq", "time", "type", "data"}`, `seq` = 1, 2, 3 ... Each
event is applied once, in order. A file that ends without a terminal event means a failure.
"""

from app.events.base import Event
from app.events.codec import Envelope, decode, encode, event_of, finite, read_events
from app.events.exports import Verified
from app.events.imports import Planned
from app.events.job import Advanced, Finished, Refused, Stopped
from app.events.training import (
    RETAINED_CHECKPOINTS,
    Cancelled,
    CheckpointSaved,
    Completed,
    Download,
    Epoch,
    Failed,
    Figures,
    Note,
    Paused,
    Progress,
    Stage,
    Started,
)
