"""What the endings of a training have in common."""

from datetime import datetime

from app.models import Training, TrainingStatus
from app.services.trainer.messages import Message, message, status_message


def finish(row: Training, status: TrainingStatus, time: datetime, path: str | None) -> None:
    """The row of a training that has ended; `path` of its weights is relative to the training's folder."""
    row.become(status)
    row.end_time, row.eta = time, None
    row.pid = row.pid_started = row.devices = None
    row.pause_requested = False
    row.progress = {"stage": str(status)}
    row.model_path = f"models/{row.id}/{path}" if path else None


def cancelled(row: Training, time: datetime, path: str | None) -> list[Message]:
    finish(row, TrainingStatus.CANCELLED, time, path)
    return [message("training_cancelled", row, downloadable=row.model_path is not None), status_message(row)]
