"""Events of a training's child become rows, a batch in a transaction; what each event changes is in record.py."""

from collections.abc import Sequence
from datetime import datetime

from app.database import writing
from app.events import Download, Envelope, Event, Figures, Progress, Stage
from app.extensions import db
from app.models import Training, TrainingStatus
from app.services.trainer.ephemeral import MOST, EphemeralMessages, RunState
from app.services.trainer.history import log_position
from app.services.trainer.messages import LogPiece, RoomMessage, log_message
from app.services.trainer.record import record
from app.services.trainer.store import TrainingStore

EPHEMERAL = (Progress, Figures, Download, Stage)  # what a power failure may undo, since the event file still has it

OffsetEvents = Sequence[tuple[int, Envelope]]  # (offset after it in the event file, event)


class EventRecorder:
    """The only writer of a training's progress.

    Idempotent: an event is recorded once, by the attempt and its number, in one transaction with its offset.

    Args:
        store: locks the rows.
        ephemeral: has the messages that are written later.
    """

    def __init__(self, store: TrainingStore, ephemeral: EphemeralMessages) -> None:
        self.store, self.ephemeral = store, ephemeral

    def apply(
        self, training_id: int, attempt: int, events: OffsetEvents, log: LogPiece | None = None
    ) -> list[RoomMessage]:
        """Apply a batch of (offset after it, event); the messages to send after this returns.

        Events of an older attempt, events that were applied before and events after the end change nothing. `log`: the
        child's output meanwhile; it is recorded after the end, too, and like EPHEMERAL without waiting for the disk.
        """
        with writing(synced=any(not isinstance(envelope.event, EPHEMERAL) for _, envelope in events)) as session:
            row = self.store.lock_existing(session, training_id)
            if row is None or row.attempt != attempt:
                return []
            messages = record_all(row, events, log)
            follow = self.ephemeral.written(row) if is_followed(row) else None
        if follow is not None:
            follow()
        return messages

    def apply_batched(
        self, training_id: int, attempt: int, events: OffsetEvents, log: LogPiece | None = None
    ) -> list[RoomMessage]:
        """`apply`, but ephemeral events are written a few times a minute; see ephemeral.py."""
        if all(isinstance(envelope.event, EPHEMERAL) for _, envelope in events):
            with self.ephemeral.advancing(training_id, attempt, len(events)) as state:
                if state is not None:
                    return record_all(state, events, log)
        return self.apply(training_id, attempt, events, log)

    def end(self, training_id: int, attempt: int, event: Event, time: datetime) -> list[RoomMessage]:
        """Apply an ending that the child could not report itself."""
        self.apply(training_id, attempt, [])  # brings the row up to date
        row = db.session.get(Training, training_id)
        if row is None:
            return []
        envelopes = [(row.event_offset, Envelope(row.event_seq + 1, time, event))]
        return self.apply(training_id, attempt, envelopes)

    def position(self, training_id: int) -> tuple[int, int]:
        """The byte offsets up to which the present attempt's event file and log are recorded.

        If an earlier server followed it, that one may have sent more messages than it wrote: numbers continue after
        these.
        """
        is_ours = self.ephemeral.follows(training_id)
        row = db.session.get_one(Training, training_id, populate_existing=True)
        if is_ours:
            self.apply(training_id, row.attempt, [])
        elif is_followed(row):
            with writing(synced=False) as session:
                self.store.lock_any(session, training_id).seq += MOST
        row = db.session.get_one(Training, training_id, populate_existing=True)
        offset = log_position(training_id, row.seq)
        return row.event_offset, offset["offset"] if offset and offset["attempt"] == row.attempt else 0


def is_followed(row: Training) -> bool:
    """Whether the next events may be written later. The first event of an attempt is written at once: by it, the next
    server knows that numbers beyond the row's may have been sent."""
    return row.status == TrainingStatus.RUNNING and row.event_seq > 0


def record_all(row: Training | RunState, envelopes: OffsetEvents, log: LogPiece | None) -> list[RoomMessage]:
    """Write the new events of a batch to the training; returns the resulting messages."""
    messages: list[RoomMessage] = []
    for offset, envelope in without_stale(envelopes):
        if envelope.seq <= row.event_seq or row.status != TrainingStatus.RUNNING:
            continue
        row.event_seq, row.event_offset = envelope.seq, offset
        if envelope.worked is not None:
            row.training_seconds = round(row.seconds_before + envelope.worked, 1)
        messages += record(envelope.event, row, envelope.time)
    if log is not None:
        messages.append(log_message(row, log))
    return messages


def without_stale(envelopes: OffsetEvents) -> list[tuple[int, Envelope]]:
    """The events with only the last of each run of progress events, which supersedes the others."""
    current: list[tuple[int, Envelope]] = []
    for entry in envelopes:
        if current and isinstance(current[-1][1].event, Progress) and isinstance(entry[1].event, Progress):
            current.pop()
        current.append(entry)
    return current
