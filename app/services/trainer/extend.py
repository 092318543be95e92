"""Adds epochs to a completed training, and computes its new learning rates."""

from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from app.core import lr_schedule
from app.errors import Conflict, IllegalTransition
from app.i18n import decimal
from app.models import Training, TrainingMetric, TrainingStatus
from app.schemas.training_actions import ExtendedValues, RatesOutValues
from app.services.idempotency import RequestKey
from app.services.trainer.checkpoints import ResumableCheckpoint, is_archive
from app.services.trainer.messages import RoomMessage, status_message
from app.services.trainer.run_endings import end_automatic
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import change
from app.services.trainer.writer import TrainingWriter


class TrainingExtension:
    """Adds epochs."""

    def __init__(self, store: TrainingStore, writer: TrainingWriter) -> None:
        self.store, self.writer = store, writer

    def extend(self, training_id: int, epochs: int, schedule: str, key: RequestKey | None = None) -> ExtendedValues:
        """Train `epochs` more after the last completed one.

        Args:
            schedule: "stretch": the learning rate schedule is distributed over all epochs. "keep": the last rate stays.

        Returns:
            The response of an action, with `epochs` (the new total), `schedule` and `learning_rate`: the rate of the
                last
            epoch that was done, of the first new one and of the last new one, each None where it is not known.

        Raises:
            IllegalTransition: it is not completed.
            Conflict: the checkpoint of its last epoch is missing.
        """

        def work(session: Any) -> tuple[ExtendedValues, list[RoomMessage]]:
            row = self.store.lock_row(session, training_id)
            if row.status != TrainingStatus.COMPLETED:
                raise IllegalTransition(
                    row.status, TrainingStatus.PENDING, _("You can add epochs to completed runs only.")
                )
            completed = row.current_epoch
            checkpoint = ResumableCheckpoint(completed, f"checkpoints/epoch-{completed}.pt")
            if not is_archive(self.store.folder(training_id) / checkpoint.path):
                problem = _(
                    "The checkpoint of the last epoch is missing, so epochs can't be added. Clone the run "
                    "and use its weights as initial weights."
                )
                raise Conflict(problem, members={"current": row.status})
            rates = learning_rates(session, row, completed + epochs, schedule)
            change(row, TrainingStatus.PENDING, resume_from=checkpoint.path, restarts=0)
            end_automatic(row.id)
            row.epochs = row.total_epochs = completed + epochs
            row.extensions = [*row.extensions, {"from_epoch": completed, "epochs": row.epochs, "schedule": schedule}]
            answer: ExtendedValues = {
                "message": sentence(row.epochs, schedule, rates),
                "training_id": row.id,
                "status": row.status,
                "epochs": row.epochs,
                "schedule": schedule,
                "learning_rate": rates,
            }
            return answer, [status_message(row)]

        return self.writer.write(key, work)


def learning_rates(session: Any, row: Training, total: int, schedule: str) -> RatesOutValues:
    """The rates of the last completed epoch, and of the first and the last new one."""
    last = session.scalar(
        select(TrainingMetric.learning_rate).where(
            TrainingMetric.training_id == row.id, TrainingMetric.epoch == row.current_epoch
        )
    )
    last = None if last is None else round(last, 9)
    if schedule == "keep":
        return {"last": last, "first": last, "final": last}
    share, cosine = row.params.get("lrf", lr_schedule.LRF), row.params.get("cos_lr", False)
    factor = lr_schedule.schedule(cosine, share, total)
    first, final = (round(row.learning_rate * factor(epoch - 1), 9) for epoch in (row.current_epoch + 1, total))
    return {"last": last, "first": first, "final": final}


def sentence(total: int, schedule: str, rates: RatesOutValues) -> str:
    """The sentence about the learning rate."""
    texts = {name: "?" if rate is None else decimal(float(f"{rate:.3g}")) for name, rate in rates.items()}
    if schedule == "keep":
        return _("The run continues to epoch %(total)s. The learning rate stays at %(last)s.", total=total, **texts)
    return _(
        "The run continues to epoch %(total)s. The learning rate, %(last)s in the last epoch, rises to "
        "%(first)s and then falls to %(final)s: its schedule covers all epochs.",
        total=total,
        **texts,
    )
