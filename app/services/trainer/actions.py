"""What a user can do with a training that is there."""

import logging

from app.database import writing
from app.errors import IllegalTransition
from app.models import Training, TrainingStatus, now
from app.services.trainer.base import TrainingBase, missing
from app.services.trainer.messages import message

logger = logging.getLogger("yolo.training")


class TrainingActions(TrainingBase):
    """Stopping and going on."""

    def cancel_training(self, training_id: int) -> str:
        """Stop it: at once when it waits, within a batch when it runs. Returns the status now.

        Raises:
            NotFound: no such training. IllegalTransition: it has ended.
        """
        with writing() as session:
            row = session.get(Training, training_id, with_for_update=True)
            if row is None:
                raise missing(training_id)
            if TrainingStatus(row.status).ended:
                raise IllegalTransition(row.status, TrainingStatus.CANCELLED)
            row.stop_requested = True
            messages = []
            if row.status == TrainingStatus.PENDING:
                row.become(TrainingStatus.CANCELLED)
                row.end_time = now()
                row.progress = {"stage": "cancelled"}
                messages.append(message("training_cancelled", row, downloadable=False))
            messages.append(message("training_status", row))
            status = str(row.status)
        logger.info("training %s: stop requested", training_id)
        self.send(messages)
        return status
