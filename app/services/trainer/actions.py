"""What a user can do with a training that is there: stop, pause, go on, try again, rename.

For a training that runs only the wish is written down; its supervisor sees it within a second.
"""

import logging
from typing import Any

from flask_babel import gettext as _

from app.errors import Conflict, IllegalTransition
from app.models import Checkpoint, Training, TrainingMetric, TrainingStatus
from app.services import about
from app.services.backup import start_backup
from app.services.idempotency import Answer, Asked
from app.services.trainer import checkpoints, present
from app.services.trainer.checkpoints import Kept
from app.services.trainer.clone import TrainingCloning
from app.services.trainer.extend import TrainingExtension
from app.services.trainer.messages import Message, message, status_message
from app.services.trainer.queue import TrainingQueue
from app.services.trainer.requeue import back_to_queue, forget_troubles
from app.services.trainer.trash import TrainingTrash, cancel

logger = logging.getLogger("yolo.training")

TROUBLED = {TrainingStatus.FAILED, TrainingStatus.CANCELLED}


class TrainingActions(TrainingCloning, TrainingExtension, TrainingQueue, TrainingTrash):
    """Everything that changes a training from outside. Each action is one transaction; its answer is the status then.

    All raise NotFound where there is no such training and Conflict where it is in the trash.
    """

    def cancel_training(self, training_id: int) -> str:
        """`stop`, as the specification names it; the status now."""
        return self.stop(training_id)["status"]

    def stop(self, training_id: int, asked: Asked | None = None) -> Answer:
        """End it: at once when it waits or is paused, within a batch when it runs.

        Raises:
            IllegalTransition: it has ended.
        """

        def work(session: Any) -> tuple[Answer, list[Message]]:
            row = self._locked(session, training_id)
            if TrainingStatus(row.status).ended:
                raise IllegalTransition(row.status, TrainingStatus.CANCELLED)
            messages = []
            if row.status == TrainingStatus.RUNNING:
                row.stop_requested, row.pause_requested = True, False
            else:
                messages.append(cancel(row, self.folder(training_id)))
            return told(row, _("Stop requested"), messages)

        logger.info("training %s: stop", training_id)
        answer = self.change(asked, work)
        if answer["status"] == TrainingStatus.CANCELLED:
            self.evaluate_stopped(training_id)
        return answer

    def evaluate_stopped(self, training_id: int) -> None:
        """Called when a training without a process was stopped."""

    def pause(self, training_id: int, asked: Asked | None = None) -> Answer:
        """Let it rest: at once when it waits, from its last whole epoch when it runs.

        Raises:
            IllegalTransition: it rests already, or has ended. Conflict: it is being stopped.
        """

        def work(session: Any) -> tuple[Answer, list[Message]]:
            row = self._locked(session, training_id)
            if row.status == TrainingStatus.RUNNING:
                if row.stop_requested:
                    raise Conflict(_("This run is already stopping."), members={"current": row.status})
                row.pause_requested, row.pause_reason = True, "asked"  # for good, even if the disk was the reason
                return told(row, _("Pause requested"))
            row.become(TrainingStatus.PAUSED)
            row.pause_reason, row.waiting_for = "asked", None
            row.progress = {"stage": "paused"}
            return told(row, _("Paused"), [message("training_paused", row, epoch=row.current_epoch, reason="asked")])

        logger.info("training %s: pause", training_id)
        return self.change(asked, work)

    def resume(self, training_id: int, asked: Asked | None = None) -> Answer:
        """Go on from the newest checkpoint; a paused one that has none begins.

        Raises:
            IllegalTransition: it waits, runs or is completed. Conflict: it ended without a checkpoint.
        """

        def work(session: Any) -> tuple[Answer, list[Message]]:
            row = self._locked(session, training_id)
            if row.status == TrainingStatus.COMPLETED:
                raise IllegalTransition(
                    row.status, TrainingStatus.PENDING, _("The run is completed. Add epochs to continue it.")
                )
            require(row, TROUBLED | {TrainingStatus.PAUSED})
            kept = checkpoints.newest(self.folder(training_id))
            if kept is None and row.status != TrainingStatus.PAUSED:
                problem = _("No checkpoint to resume from. Retry the run from the beginning or clone it.")
                raise Conflict(problem, members={"current": row.status})
            again(session, row, kept)
            return told(row, going_on(kept))

        logger.info("training %s: resume", training_id)
        return self.change(asked, work)

    def retry(self, training_id: int, asked: Asked | None = None) -> Answer:
        """Try again what failed or was cancelled: from the newest checkpoint, else from the beginning.

        Raises:
            IllegalTransition: it neither failed nor was cancelled.
        """

        def work(session: Any) -> tuple[Answer, list[Message]]:
            row = self._locked(session, training_id)
            require(row, TROUBLED)
            kept = checkpoints.newest(self.folder(training_id))
            again(session, row, kept)
            return told(row, going_on(kept))

        logger.info("training %s: retry", training_id)
        return self.change(asked, work)

    def edit(self, training_id: int, changes: dict[str, Any]) -> dict[str, Any]:
        """Change name, priority, start_not_before or important; the training as TrainingOut takes it."""

        def work(session: Any) -> tuple[Answer, list[Message]]:
            row = self._locked(session, training_id)
            for name, value in changes.items():
                setattr(row, name, value)
            return told(row, "")

        self.change(None, work)
        if changes.get("important"):
            start_backup(training_id)
        if self.folder(training_id).is_dir():
            about.write(self.folder(training_id), "training", self._row(training_id))
        found = present.one(training_id, self.models)
        return found or {}


def told(row: Training, text: str, messages: list[Message] | None = None) -> tuple[Answer, list[Message]]:
    """The answer to an action, and what the browsers hear: `messages`, then the status."""
    answer = {"message": text, "training_id": row.id, "status": str(row.status)}
    return answer, [*(messages or []), status_message(row)]


def require(row: Training, statuses: set[TrainingStatus]) -> None:
    """
    Raises:
        IllegalTransition: the status is another.
    """
    if row.status not in statuses:
        raise IllegalTransition(row.status, TrainingStatus.PENDING)


def again(session: Any, row: Training, kept: Kept | None) -> None:
    """Back to the queue by a person's wish. What comes again is shown from there."""
    if row.status == TrainingStatus.PAUSED:
        row.restarts = 0  # but the batch that fits stays
    else:
        forget_troubles(row)
    back_to_queue(row, kept)
    row.current_epoch = min(row.current_epoch, kept.epoch if kept else 0)
    if kept is None:
        for table in (TrainingMetric, Checkpoint):
            session.query(table).filter_by(training_id=row.id).delete()


def going_on(kept: Kept | None) -> str:
    if kept is None:
        return _("The run waits for its device and starts with the first epoch.")
    return _("The run waits for its device and resumes after epoch %(epoch)s.", epoch=kept.epoch)
