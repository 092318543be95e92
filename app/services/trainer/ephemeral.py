"""Sends progress, figures and log of running trainings at once, and writes them to the database a few times a minute.

No client replays them one by one, so they have no transaction of their own: the next write about the training includes
them. Their numbers continue those of the row. What a killed server had not written is read again from the attempt's
event file.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.room_messages import MessagePayload
from app.core.train import RunProgress
from app.models import Training, TrainingStatus, now

EVERY_S = 15.0  # between two writes of these messages alone
MOST = 500  # unwritten messages
# columns that may be ahead of the row
COLUMNS = ("seq", "event_seq", "event_offset", "progress", "eta", "training_seconds")


@dataclass(frozen=True)
class Unwritten:
    """A message that was sent and has no row yet; fields as in `TrainingEvent`."""

    training_id: int
    seq: int
    event: str
    payload: MessagePayload
    time: datetime = field(default_factory=now)


@dataclass
class RunState:
    """The state of a running training ahead of its row, with the same attributes; `messages` are those since."""

    id: int
    created_at: datetime
    status: str
    attempt: int
    seq: int
    event_seq: int
    event_offset: int
    progress: RunProgress
    eta: float | None
    training_seconds: float
    seconds_before: float
    current_epoch: int
    total_epochs: int | None
    epochs: int
    written_at: float  # by the clock of EphemeralMessages
    messages: list[Unwritten] = field(default_factory=list)
    is_open: bool = True  # no other write about the training since

    def is_of(self, row: Training) -> bool:
        """Whether it continues this row; ids may be reused."""
        return self.seq > row.seq and self.created_at == row.created_at

    def append(self, event: str, payload: MessagePayload) -> None:
        """Add a message with the training's present number."""
        self.messages.append(Unwritten(self.id, self.seq, event, payload))


ROW = ("id", "created_at", "status", "attempt", *COLUMNS, "seconds_before", "current_epoch", "total_epochs", "epochs")


class EphemeralMessages:
    """Messages that were sent and are not written yet, by training.

    Args:
        clock: a monotonic clock, in seconds.
        at_once: write everything at once, since other processes read the rows and number messages by them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, at_once: bool = False) -> None:
        self.clock, self.at_once = clock, at_once
        self._states: dict[int, RunState] = {}
        self._writes: dict[int, int] = {}  # by training: the number of writes since its supervision began
        self._lock = threading.Lock()

    # While the supervisor follows a run.

    @contextmanager
    def advancing(self, training_id: int, attempt: int, events: int) -> Iterator[RunState | None]:
        """The state of an attempt, for this many ephemeral events; None: they must be written now.

        An exception leaves the state unchanged.
        """
        with self._lock:
            state = self._states.get(training_id)
            if state is None or state.attempt != attempt or not self.accepts(state, events):
                yield None
                return
            draft = replace(state, messages=list(state.messages))
            yield draft
            self._states[training_id] = draft

    def accepts(self, state: RunState, events: int) -> bool:
        full = len(state.messages) + events >= MOST
        return state.is_open and not full and self.clock() - state.written_at < EVERY_S

    def written(self, row: Training) -> Callable[[], None]:
        """A function to call after the commit of a transaction that has updated the row: from then on, messages can
        wait.

        Called in the transaction. If another write has begun meanwhile, nothing waits until the next one.
        """
        if self.at_once:
            return lambda: None
        state = RunState(**{name: getattr(row, name) for name in ROW}, written_at=self.clock())
        writes = self._writes.get(row.id, 0)

        def follow() -> None:
            with self._lock:
                if self._writes.get(state.id, 0) == writes:
                    self._states[state.id] = state

        return follow

    def follows(self, training_id: int) -> bool:
        """Whether messages of its present run are handled here."""
        return training_id in self._states

    def drop(self, training_id: int) -> None:
        """Drop the state of a training whose ending is recorded."""
        with self._lock:
            self._states.pop(training_id, None)
            self._writes.pop(training_id, None)

    # For other writes about a training.

    def interrupt(self, training_id: int) -> RunState | None:
        """The messages that the caller's transaction must write first. They stay until `written`, since the transaction
        may fail.
        """
        with self._lock:
            self._writes[training_id] = self._writes.get(training_id, 0) + 1
            state = self._states.get(training_id)
            if state is not None:
                state.is_open = False
            return state

    # For reads.

    def newest(self, row: Training) -> "Training | RunState":
        """The newest state of a training: its row, or the state ahead of it."""
        state = self._states.get(row.id)
        ahead = state is not None and state.is_of(row) and state.attempt == row.attempt
        return state if ahead and state and row.status == TrainingStatus.RUNNING else row

    def messages(self, training_id: int) -> list[Unwritten]:
        """The unwritten messages. Call it before reading the rows: messages written in between are then in the rows."""
        state = self._states.get(training_id)
        return list(state.messages) if state else []
