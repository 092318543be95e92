"""Messages of trainings' rooms, read back as they were sent."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import select

from app.core.paths import redact_paths
from app.core.room_messages import MessagePayload, StoredMessage
from app.extensions import db
from app.models import TrainingEvent, TrainingMetric
from app.services.trainer import coach_texts, texts
from app.services.trainer.ephemeral import Unwritten
from app.services.trainer.history import up_to
from app.services.trainer.messages import stamp
from app.services.trainer.output import read_piece
from app.services.trainer.present import TrainingPresenter, as_json
from app.services.trainer.read_models import EventsPage

NumberedMessage = TrainingEvent | Unwritten


class StoredMessages:
    """Reads messages by number, and the timeline of notes and advice.

    A message is read back as it was sent: parts that are not stored in it are filled in from their own tables or files.
    Texts are in the language of the context.

    Args:
        presenter: of the trainings themselves, which status messages contain.
    """

    def __init__(self, presenter: TrainingPresenter) -> None:
        self.presenter, self.models = presenter, presenter.models
        self._fillers: dict[str, Callable[[MessagePayload], MessagePayload]] = {
            "training_status": self._fill_status,
            "training_log": self._fill_log,
            "training_update": fill_update,
            "training_error": self._fill_error,
            "training_note": lambda payload: {"message": texts.note(payload["code"], payload["data"])},
            "training_advice": lambda payload: coach_texts.advice(payload["code"], payload["data"]),
        }

    def page(self, training_id: int, seq: int, after: int, limit: int, newer: Sequence[Unwritten] = ()) -> EventsPage:
        """Messages with numbers above `after`, in order: {"events", "seq" (to continue from), "more", "thinned"}.

        `thinned`: some ephemeral messages between `after` and the last one of this page were deleted.

        Args:
            seq: the highest number in the rows.
            newer: unwritten messages.
        """
        query = select(TrainingEvent).where(TrainingEvent.training_id == training_id, TrainingEvent.seq > after)
        rows: list[NumberedMessage] = list(db.session.scalars(query.order_by(TrainingEvent.seq).limit(limit)))
        last_stored = max(after, rows[-1].seq if rows else 0)
        rows += [item for item in newer if item.seq > last_stored][: limit - len(rows)]
        seq = max(seq, newer[-1].seq if newer else 0)
        last = rows[-1].seq if rows else seq
        return {
            "events": list(self.read_back(rows)),
            "seq": last,
            "more": bool(rows) and seq > last,
            "thinned": last - after > len(rows),
        }

    def timeline(self, training_id: int, event: str, seq: int) -> list[MessagePayload]:
        """All notes, or all advice, up to a number."""
        query = select(TrainingEvent).where(*up_to(training_id, event, seq)).order_by(TrainingEvent.seq)
        return [{**item["payload"], "time": item["time"]} for item in self.read_back(db.session.scalars(query))]

    def read_back(self, rows: Iterable[NumberedMessage]) -> Iterable[StoredMessage]:
        """The messages as they were sent; the training itself is queried once."""
        training: MessagePayload | None = None
        for row in rows:
            payload: MessagePayload = {"training_id": row.training_id, "seq": row.seq, **row.payload}
            if row.event == "training_status":
                training = training or self._fill_status(payload)
                payload |= training
            else:
                payload = self.fill(row.event, payload)
            yield {"seq": row.seq, "event": row.event, "time": stamp(row.time), "payload": payload}

    def fill(self, event: str, payload: MessagePayload) -> MessagePayload:
        """The payload completed by what is not stored in the message."""
        return payload | self._fillers[event](payload) if event in self._fillers else payload

    def _fill_status(self, payload: MessagePayload) -> MessagePayload:
        view = self.presenter.one(payload["training_id"])
        return {"training": as_json(view)} if view else {}

    def _fill_log(self, payload: MessagePayload) -> MessagePayload:
        directory = self.models / str(payload["training_id"]) / "attempts" / str(payload["attempt"])
        return {"text": read_piece(directory, payload["start"], payload["offset"])}

    def _fill_error(self, payload: MessagePayload) -> MessagePayload:
        """Redact an error that an earlier version stored unredacted."""
        root = self.models.parent
        return {
            "error": redact_paths(payload["error"] or "", root, stored=True),
            "traceback": redact_paths(payload["traceback"] or "", root, stored=True),
        }


def fill_update(payload: MessagePayload) -> MessagePayload:
    mine = (TrainingMetric.training_id == payload["training_id"]) & (TrainingMetric.epoch == payload["epoch"])
    return {"classes": db.session.scalar(select(TrainingMetric.classes).where(mine)) or []}
