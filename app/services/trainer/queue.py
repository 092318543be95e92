"""Reads and changes the order of the queued trainings."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from app.errors import Conflict, Unprocessable
from app.models import Training, TrainingStatus
from app.services.idempotency import Answer
from app.services.trainer.messages import RoomMessage, queue_message, status_message
from app.services.trainer.present import TrainingPresenter
from app.services.trainer.read_models import QueueView
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import follow
from app.services.trainer.waiting import queue_order
from app.services.trainer.writer import TrainingWriter


class TrainingQueue:
    """The waiting trainings."""

    def __init__(self, store: TrainingStore, presenter: TrainingPresenter, writer: TrainingWriter) -> None:
        self.store, self.presenter, self.writer = store, presenter, writer

    def waiting(self) -> QueueView:
        """Waiting trainings, in order, as TrainingOut."""
        return {"queue": self.presenter.waiting()}

    def reorder(self, requested: list[int]) -> QueueView:
        """Reorder waiting trainings; returns the new queue.

        Args:
            requested: some or all waiting trainings, in their new order. They exchange positions; the others keep
                theirs. One that is moved before another of higher priority gets that priority.

        Raises:
            Unprocessable: one occurs twice.
            Conflict: one is not waiting any more; `order` has the waiting ones.
        """
        if len(set(requested)) < len(requested):
            problem = _("Each run can appear only once.")
            raise Unprocessable(problem, [{"field": "order", "message": problem}])

        def work(session: Any) -> tuple[Answer, list[RoomMessage]]:
            waits = (Training.status == TrainingStatus.PENDING) & Training.deleted_at.is_(None)
            rows = self.store.lock_each(session, select(Training).where(waits).order_by(*queue_order()))
            now = {row.id: row for row in rows}
            if not now.keys() >= set(requested):
                raise no_longer_waiting(requested, list(now))
            order = [now[training_id] for training_id in rearrange(list(now), requested)]
            before = [row.priority for row in order]
            for row, priority, position in zip(order, *priorities_and_positions(order), strict=True):
                row.priority, row.position = priority, position
                follow(row)
            changed = [row for row, priority in zip(order, before, strict=True) if row.priority != priority]
            return {}, [*(status_message(row) for row in changed), queue_message(order)]

        self.writer.write(None, work)
        return self.waiting()


def rearrange(now: Sequence[int], requested: Sequence[int]) -> list[int]:
    """The complete order, with `requested` at the positions that they occupy among `now`."""
    next_one, moved = iter(requested), set(requested)
    return [next(next_one) if training_id in moved else training_id for training_id in now]


def priorities_and_positions(order: Sequence[Training]) -> tuple[list[int], list[int]]:
    """The priorities and ascending positions that produce this order.

    Either a training that precedes a higher priority is raised, or one that follows a lower priority is lowered:
    whichever changes fewer trainings, raising if both change as many.
    """
    priorities = [row.priority for row in order]
    raised = list(accumulate(reversed(priorities), max))[::-1]
    lowered = list(accumulate(priorities, min))
    fewest = min(raised, lowered, key=lambda new: sum(a != b for a, b in zip(new, priorities, strict=True)))
    ages = sorted(row.position for row in order)  # positions are creation times, so later trainings still come last
    return fewest, list(accumulate(ages, lambda last, age: max(last + 1, age)))


def no_longer_waiting(requested: Sequence[int], waiting: Sequence[int]) -> Conflict:
    missing = ", ".join(str(training_id) for training_id in requested if training_id not in waiting)
    problem = _("These runs are no longer in the queue: %(ids)s. Reload the queue.", ids=missing)
    return Conflict(problem, [{"field": "order", "message": problem}], {"order": list(waiting)})
