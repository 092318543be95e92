"""Data for the readers of a training's room: the snapshot, the messages by number, the coach's advice."""

import time
from typing import cast

from app.extensions import db, socketio
from app.models import Training
from app.schemas import MetricsOut
from app.schemas.training_events import SentAdviceValues
from app.services.trainer import history, present
from app.services.trainer.ephemeral import EphemeralMessages, Unwritten
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.files import LOG_TAIL
from app.services.trainer.output import read_piece
from app.services.trainer.present import TrainingPresenter
from app.services.trainer.read_models import EpochView, EventsPage, LogEnd, LogPosition, MetricsView, Snapshot
from app.services.trainer.store import TrainingStore
from app.services.trainer.stored_messages import StoredMessages

POLL_INTERVAL_S = 0.2
READ_S = 2.0  # between two reads of the database, to which another process may have written


class TrainingFollowing:
    """Reads for pages, for polling scripts, and for clients that join a room.

    Args:
        presenter: has the present training.
        feed: knows the newest number that was sent.
        ephemeral: has the messages that are not written yet.
        stored: has those that are.
        shared: whether other processes send messages of trainings too.
    """

    def __init__(
        self,
        store: TrainingStore,
        presenter: TrainingPresenter,
        feed: TrainingFeed,
        ephemeral: EphemeralMessages,
        stored: StoredMessages,
        shared: bool = False,
    ) -> None:
        self.store, self.presenter, self.feed = store, presenter, feed
        self.ephemeral, self.stored, self.are_several = ephemeral, stored, shared

    def metrics(self, training_id: int, *, all_classes: bool = True) -> MetricsView:
        """Every epoch so far, as MetricsOut; without `all_classes` as in a snapshot."""
        db.session.rollback()  # a consistent view of the database from here on
        seq = self.store.row(training_id).seq
        epochs = present.metrics(training_id) if all_classes else history.metrics(training_id, seq)
        return {"version": history.version(training_id, seq), "epochs": epochs}

    def advice(self, training_id: int) -> list[SentAdviceValues]:
        """The coach's advice so far."""
        sent = self.stored.timeline(training_id, "training_advice", self.store.row(training_id).seq)
        return cast(list[SentAdviceValues], sent)

    def events(self, training_id: int, after: int, limit: int, wait: float = 0) -> EventsPage:
        """The room's messages above a number; see StoredMessages.page. `wait`: for the first one, in s."""
        row, newer = self._present(training_id)
        if wait and max(row.seq, newer[-1].seq if newer else 0) <= after:
            self._wait_for(training_id, after, wait)
            row, newer = self._present(training_id)
        return self.stored.page(training_id, row.seq, after, limit, newer)

    def _present(self, training_id: int) -> tuple[Training, list[Unwritten]]:
        """The row, in a new transaction, and the messages that it does not have yet."""
        db.session.rollback()
        messages = self.ephemeral.messages(training_id)
        row = self.store.row(training_id)
        return row, [item for item in messages if item.seq > row.seq]

    def _wait_for(self, training_id: int, after: int, seconds: float) -> None:
        """Poll only the memory, in which committed messages are recorded at once, without occupying a database
        connection.
        """
        db.session.remove()
        until, read_at = time.monotonic() + seconds, time.monotonic()
        while self.feed.newest.get(training_id, 0) <= after and time.monotonic() < until:
            socketio.sleep(POLL_INTERVAL_S)
            if self.are_several and time.monotonic() - read_at > READ_S:
                read_at = time.monotonic()
                self.feed.receive([training_id, self.store.row(training_id).seq])
                db.session.remove()

    def snapshot(self, training_id: int, cached_version: str | None = None) -> Snapshot:
        """The state from which a page continues with live messages: it includes those numbered up to `seq`.

        Args:
            cached_version: the page's version of the metrics; if it is current, `metrics` is None.
        """
        row, newer = self._present(training_id)
        seq, attempt = row.seq, row.attempt
        training = self.presenter.one(training_id)
        assert training is not None
        version = history.version(training_id, seq)
        same = version == cached_version
        return {
            "seq": newer[-1].seq if newer else seq,
            "training": present.as_json(training),
            "metrics": None if same else as_sent(version, history.metrics(training_id, seq)),
            "notes": self.stored.timeline(training_id, "training_note", seq),
            "advice": self.stored.timeline(training_id, "training_advice", seq),
            "losses": history.losses(training_id, seq, newer),
            "figures": history.figures(training_id, seq, newer),
            "log": self._log_until(training_id, attempt, history.log_position(training_id, seq, newer)),
        }

    def _log_until(self, training_id: int, attempt: int, log_position: LogPosition | None) -> LogEnd:
        """The end of the present attempt's log, up to where the room's messages continue; see history.log_position."""
        directory = self.store.attempt_dir(training_id, attempt)
        if log_position is None or log_position["attempt"] != attempt:
            return {"text": "", "offset": 0, "attempt": attempt}
        end = log_position["offset"]
        text = read_piece(directory, max(0, end - LOG_TAIL), end)
        return {"text": text.partition("\n")[2] if end > LOG_TAIL else text, "offset": end, "attempt": attempt}


def as_sent(version: str, epochs: list[EpochView]) -> dict[str, object]:
    return MetricsOut().dump({"version": version, "epochs": epochs})
