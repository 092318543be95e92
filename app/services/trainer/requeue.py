"""Back to the queue: after a pause, an ending or a crash, to go on from a checkpoint or from the start."""

from app.models import Training, TrainingStatus
from app.services.trainer.checkpoints import Kept


def back_to_queue(row: Training, kept: Kept | None) -> None:
    """Let it wait for its device again; the caller is in a write transaction and sends the messages.

    Raises:
        IllegalTransition: it waits already, or it runs and was not ended.
    """
    row.become(TrainingStatus.PENDING)
    row.resume_from = kept.path if kept else None
    row.stop_requested = row.pause_requested = False
    row.pause_reason = row.waiting_for = None
    row.pid = row.pid_started = row.eta = row.end_time = row.devices = None
    row.error = row.error_kind = row.traceback = None
    row.progress = {"stage": "queued"}


def forget_troubles(row: Training) -> None:
    """A person sent it on: it may try again as often as at first."""
    row.restarts = row.halvings = 0
    row.batch_now = None
