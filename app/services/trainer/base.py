"""What the parts of TrainingService share: rows, folders, the queue, and telling the browsers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _

from app import notify
from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Training
from app.services import idempotency
from app.services.dispatch import Dispatcher
from app.services.idempotency import Answer, Asked
from app.services.trainer import history
from app.services.trainer.messages import Message

if TYPE_CHECKING:
    from app.services.storage import StorageService


Work = Callable[[Any], tuple[Answer, list[Message]]]  # from the session of the transaction


class TrainingBase:
    """One training service is made of several parts, each of which builds on this.

    Args:
        storage: where trainings have their folders.
    """

    def __init__(self, storage: "StorageService") -> None:
        self.storage = storage
        self.dispatcher: Dispatcher | None = None
        self.told: dict[int, int] = {}  # the newest number of each training that was sent since the start

    def start_training(self, training_id: int) -> None:
        """Let the queue look at it now; it starts as soon as its device is free."""
        self._row(training_id)
        self.wake()

    def wake(self) -> None:
        """Something changed that the queue looks at."""
        if self.dispatcher is not None:
            self.dispatcher.wake()

    @property
    def models(self) -> Path:
        return self.storage.models

    def folder(self, training_id: int) -> Path:
        return self.storage.get_training_dir(training_id)

    def attempt_dir(self, training_id: int, attempt: int) -> Path:
        """Where the child of an attempt has its files; see app/worker/channel.py."""
        return self.folder(training_id) / "attempts" / str(attempt)

    def _row(self, training_id: int) -> Training:
        row = db.session.get(Training, training_id)
        if row is None:
            raise missing(training_id)
        return row

    def _locked(self, session: Any, training_id: int) -> Training:
        """The row, to be changed in this transaction.

        Raises:
            NotFound: no such training. Conflict: it is in the trash.
        """
        row = session.get(Training, training_id, with_for_update=True)
        if row is None:
            raise missing(training_id)
        return not_deleted(row)

    def change(self, asked: Asked | None, work: Work) -> Answer:
        """Do the work in one write transaction, then tell the browsers and wake the queue.

        Args:
            asked: the request's Idempotency-Key; where it was used before, its answer is given and nothing is done.
        """

        def changed() -> Answer:
            with writing() as session:
                mark = idempotency.reserve(session, asked)
                answer, messages = work(session)
                if mark is not None:
                    mark.answer = answer
            self.send(messages)
            self.wake()
            return answer

        return idempotency.once(asked, changed)

    # Telling.

    def send(self, messages: list[Message]) -> None:
        """To the browsers, after the commit. Costs next to nothing where nobody looks."""
        for item in messages:
            if "training_id" not in item.payload:
                notify.to_dashboard(item.event, item.payload)
                continue
            training_id, event, seq = item.payload["training_id"], item.event, item.payload["seq"]
            self.told[training_id] = max(seq, self.told.get(training_id, 0))
            if event in history.WITH_TEXTS:
                make = partial(history.filled, event, item.payload, self.models)
                notify.to_readers(event, training_id, make, dashboard=item.dashboard)
            else:
                notify.to_training(event, training_id, item.payload, dashboard=event not in history.FINE)

    def send_status(self, training_id: int) -> None:
        """Tell the present state, whose number was committed before."""
        seq = self._row(training_id).seq
        self.send([Message("training_status", {"training_id": training_id, "seq": seq})])


def missing(training_id: int) -> NotFound:
    return NotFound(_("Run %(id)s doesn't exist.", id=training_id))


def not_deleted(row: Training) -> Training:
    """
    Raises:
        Conflict: the training is in the trash.
    """
    if row.deleted_at is not None:
        raise Conflict(_("This run is in the trash. Restore it first."), members={"current": str(row.status)})
    return row
