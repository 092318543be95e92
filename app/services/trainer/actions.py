"""Actions on an existing training: stop, pause, resume, retry, rename.

For a running training, only the request is recorded; its supervisor reads it within a second.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _

from app.errors import Conflict, IllegalTransition
from app.jobs.model import CANCEL, PAUSE
from app.models import Checkpoint, Dataset, Training, TrainingMetric, TrainingStatus
from app.schemas.training_actions import TrainingPatchValues
from app.schemas.trainings import TrainingCreatedValues
from app.services import about
from app.services.idempotency import RequestKey
from app.services.trainer import checkpoints
from app.services.trainer.checkpoints import ResumableCheckpoint
from app.services.trainer.messages import RoomMessage, message, status_message
from app.services.trainer.present import TrainingPresenter
from app.services.trainer.run_endings import EndedRuns, end_automatic
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import change, follow, request_stop
from app.services.trainer.trash import cancel
from app.services.trainer.writer import TrainingWriter

if TYPE_CHECKING:
    from app.services.backup import BackupService

logger = logging.getLogger("yolo.training")

TROUBLED = {TrainingStatus.FAILED, TrainingStatus.CANCELLED}


class TrainingActions:
    """Stops, resumes and renames trainings. Each action is one transaction; its response has the status after it.

    All raise NotFound if there is no such training, and Conflict if it is in the trash.

    Args:
        presenter: for the answer to an edit.
        ended: notifies the listeners of a stopped run.
        backups: of models of important trainings.
    """

    def __init__(
        self,
        store: TrainingStore,
        presenter: TrainingPresenter,
        writer: TrainingWriter,
        ended: EndedRuns,
        backups: "BackupService",
    ) -> None:
        self.store, self.presenter, self.writer = store, presenter, writer
        self.ended, self.backups = ended, backups

    def stop(self, training_id: int, key: RequestKey | None = None) -> TrainingCreatedValues:
        """End a training: at once if it is pending or paused, within a batch if it is running.

        Raises:
            IllegalTransition: it has ended.
        """

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            if TrainingStatus(row.status).ended:
                raise IllegalTransition(row.status, TrainingStatus.CANCELLED)
            if row.status == TrainingStatus.RUNNING:
                request_stop(row, CANCEL)
                return action_response(row, _("Stop requested"))
            return action_response(row, _("Stopped"), [cancel(row, self.store.folder(training_id))])

        logger.info("training %s: stop requested", training_id)
        answer = self.writer.write(key, work)
        if answer["status"] == TrainingStatus.CANCELLED:
            self.ended.notify(self.store.row(training_id))
        return answer

    def pause(self, training_id: int, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Pause a training: at once if it is pending, at its last complete epoch if it is running.

        Raises:
            IllegalTransition: it is paused, or has ended.
            Conflict: it is being stopped.
        """

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            if row.status == TrainingStatus.RUNNING:
                if row.stop_requested:
                    raise Conflict(_("This run is already stopping."), members={"current": row.status})
                # by a user: not resumed automatically, even if it was pausing for lack of disk space
                request_stop(row, PAUSE, "asked")
                return action_response(row, _("Pause requested"))
            change(row, TrainingStatus.PAUSED)
            return action_response(
                row, _("Paused"), [message("training_paused", row, epoch=row.current_epoch, reason="asked")]
            )

        logger.info("training %s: pause requested", training_id)
        return self.writer.write(key, work)

    def resume(self, training_id: int, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Resume from the newest checkpoint; a paused training without one starts from the beginning.

        Raises:
            IllegalTransition: it is pending, running or completed.
            Conflict: it ended without a checkpoint.
        """

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            if row.status == TrainingStatus.COMPLETED:
                raise IllegalTransition(
                    row.status, TrainingStatus.PENDING, _("The run is completed. Add epochs to continue it.")
                )
            require(row, TROUBLED | {TrainingStatus.PAUSED})
            checkpoint = checkpoints.newest(self.store.folder(training_id))
            if checkpoint is None and row.status != TrainingStatus.PAUSED:
                problem = _("No checkpoint to resume from. Retry the run from the beginning or clone it.")
                raise Conflict(problem, members={"current": row.status})
            requeue(session, row, checkpoint)
            return action_response(row, resume_message(checkpoint))

        logger.info("training %s: resume requested", training_id)
        return self.writer.write(key, work)

    def retry(self, training_id: int, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Retry a failed or cancelled training: from the newest checkpoint, otherwise from the beginning.

        Raises:
            IllegalTransition: it has neither failed nor been cancelled.
        """

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            require(row, TROUBLED)
            checkpoint = checkpoints.newest(self.store.folder(training_id))
            requeue(session, row, checkpoint)
            return action_response(row, resume_message(checkpoint))

        logger.info("training %s: retry requested", training_id)
        return self.writer.write(key, work)

    def edit(self, training_id: int, changes: TrainingPatchValues) -> Mapping[str, object]:
        """Change name, priority, start_not_before or important; returns the training as TrainingOut."""

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            if changes.get("shared") and not session.get_one(Dataset, row.dataset_id).shared:
                raise Conflict(_("Share the dataset first: a run shows images of its dataset."))
            for name, value in changes.items():
                setattr(row, name, value)
            follow(row)
            return action_response(row, "")

        self.writer.write(None, work)
        if changes.get("important"):
            self.backups.start(training_id)
        if self.store.folder(training_id).is_dir():
            about.write(self.store.folder(training_id), "training", self.store.row(training_id))
        return self.presenter.one(training_id) or {}


def action_response(
    row: Training, text: str, messages: list[RoomMessage] | None = None
) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
    """The response of an action, and the messages for browsers: `messages`, then the status."""
    answer: TrainingCreatedValues = {"message": text, "training_id": row.id, "status": str(row.status)}
    return answer, [*(messages or []), status_message(row)]


def require(row: Training, statuses: set[TrainingStatus]) -> None:
    """Check that a training is in one of these statuses.

    Raises:
        IllegalTransition: it has another status.
    """
    if row.status not in statuses:
        raise IllegalTransition(row.status, TrainingStatus.PENDING)


def requeue(session: Any, row: Training, checkpoint: ResumableCheckpoint | None) -> None:
    """Requeue a training at a user's request; the page shows which epochs are repeated."""
    troubles: dict[str, int | None] = {"restarts": 0}
    if row.status != TrainingStatus.PAUSED:  # a paused one keeps the batch size that fits
        troubles |= {"halvings": 0, "batch_now": None}
    change(row, TrainingStatus.PENDING, resume_from=checkpoint.path if checkpoint else None, **troubles)
    end_automatic(row.id)
    row.current_epoch = min(row.current_epoch, checkpoint.epoch if checkpoint else 0)
    if checkpoint is None:
        for table in (TrainingMetric, Checkpoint):
            session.query(table).filter_by(training_id=row.id).delete()


def resume_message(checkpoint: ResumableCheckpoint | None) -> str:
    """The message about a request to resume. `checkpoint`: to resume from."""
    if checkpoint is None:
        return _("The run waits for its device and starts with the first epoch.")
    return _("The run waits for its device and resumes after epoch %(epoch)s.", epoch=checkpoint.epoch)
