"""The figures of an estimate: measured by a child, from an earlier training, or the reason why there are none."""

import statistics

from flask_babel import gettext as _
from sqlalchemy import select

from app.config import settings
from app.core.estimate import EstimateFigures, EstimateResult
from app.core.paths import redact_paths
from app.events import RETAINED_CHECKPOINTS
from app.extensions import db
from app.jobs.devices import CPU
from app.jobs.disk import free_disk
from app.jobs.recovery import DISPLACED_FROM_DEVICE
from app.models import Checkpoint, Training, TrainingMetric, TrainingStatus
from app.schemas.estimate import DiskNeed, EstimateOutValues, RunTimes
from app.services.estimate.request import CLOSE_MOSAIC, Configuration, EstimateRequest
from app.services.trainer import texts

FINISH_S = 2.5  # as in app/worker/eta.py: after the last epoch, besides its validation
LONGEST_S = 300.0  # for the first read of a large dataset; the batches themselves take some 20 s


def measured(request: EstimateRequest, figures: EstimateResult) -> EstimateOutValues:
    """The response with a child's measurements."""
    configuration = request.configuration
    if "error" in figures:
        text = _("Out of memory, even with smaller batches. Use a smaller image size or model.")
        return {"status": "ready", "basis": "measured", "fits": False, "largest_batch": None, "reason": text}
    answer: EstimateOutValues = {
        "status": "ready",
        "basis": "measured",
        "fits": figures["fits"],
        "largest_batch": None if figures["fits"] else figures["batch"] * len(request.devices),
        "memory": figures["memory"],
        "memory_total": figures["memory_total"],
        "parameters": figures["parameters"],
        "device": figures["device"],
        "measured_batches": figures["measured_batches"],
        **times(configuration, figures, len(request.devices)),
        **disk(configuration, figures["checkpoint_bytes"]),
    }
    if not figures["fits"]:
        answer["reason"] = _(
            "A batch size of %(asked)s doesn't fit into memory. The estimate is for %(batch)s, which fits.",
            asked=configuration.batch_size,
            batch=answer["largest_batch"],
        )
    return answer


def times(configuration: Configuration, figures: EstimateFigures, devices: int) -> RunTimes:
    """Seconds of the run: start, epochs with and without mosaic, and the validation of the best weights."""
    epochs, params = configuration.epochs, configuration.params
    mosaic_free = min(epochs, params.get("close_mosaic", CLOSE_MOSAIC))
    batches = -(-figures["batches"] // devices)
    val = figures["val_seconds"] / devices
    beside = (val if params.get("val", True) else 0.0) + figures["save_seconds"]
    batch, without = figures["batch_seconds"], figures["plain_batch_seconds"] or figures["batch_seconds"]
    running = batches * ((epochs - mosaic_free) * batch + mosaic_free * without) + epochs * beside
    return {
        "batches": batches,
        "batch_seconds": round(batch, 4),
        "val_seconds": round(val, 3),
        "start_seconds": round(figures["start_seconds"], 1),
        "epoch_seconds": round(running / epochs, 3),
        "seconds": round(figures["start_seconds"] + running + val + FINISH_S, 1),
    }


def disk(configuration: Configuration, checkpoint: int) -> DiskNeed:
    """The maximum disk space of the run in bytes: best, last, the resumable copies and the periodic checkpoints."""
    period = configuration.params.get("save_period", -1)
    periodic = configuration.epochs // period if period > 0 else 0
    needed = checkpoint * (2 + RETAINED_CHECKPOINTS + periodic)
    free = free_disk(settings().MODELS_DIR)
    return {
        "checkpoint_bytes": checkpoint,
        "disk": needed,
        "disk_free": free,
        "disk_enough": free - needed > settings().DISK_RESERVE,
    }


def history(request: EstimateRequest) -> EstimateOutValues | None:
    """The figures of the newest training with the same configuration; None if there is none."""
    configuration = request.configuration
    same = ("dataset_id", "revision", "model_version", "architecture", "task", "batch_size", "img_size")
    like = [getattr(Training, name) == getattr(configuration, name) for name in same]  # None: IS NULL
    like.append(Training.device == CPU if request.devices == (CPU,) else Training.device != CPU)
    ended = Training.status == TrainingStatus.COMPLETED
    earlier = db.session.scalar(select(Training).where(ended, *like).order_by(Training.end_time.desc()).limit(1))
    if earlier is None:
        return None
    query = select(TrainingMetric.seconds).where(TrainingMetric.training_id == earlier.id)
    seconds = [value for value in db.session.scalars(query) if value]
    if not seconds:
        return None
    beside = max(0.0, earlier.training_seconds - sum(seconds)) if earlier.attempt == 1 else 0.0
    sizes = select(Checkpoint.size_bytes).where(Checkpoint.training_id == earlier.id, Checkpoint.resumable)
    checkpoint = max(db.session.scalars(sizes), default=0)
    answer: EstimateOutValues = {
        "status": "ready",
        "basis": "history",
        "training_id": earlier.id,
        "device": earlier.device,
        "epoch_seconds": round(statistics.median(seconds), 3),
        "seconds": round(beside + statistics.median(seconds) * configuration.epochs, 1),
    }
    return {**answer, **disk(configuration, checkpoint)} if checkpoint else answer


def unavailable(text: str) -> EstimateOutValues:
    """The response without an estimate, with the reason."""
    return {"status": "unavailable", "reason": text}


def reason(kind: str, error: str) -> str:
    """Why a measurement failed, in the reader's language."""
    if kind == DISPLACED_FROM_DEVICE:
        return _("A run started on the device before the measurement finished.")
    if kind == "cancelled":
        return _("The measurement was stopped.")
    if kind == "slow":
        return _("The measurement was stopped after %(seconds)s s.", seconds=int(LONGEST_S))
    public = redact_paths(error, settings().DATA_ROOT)
    return texts.failure(kind, public) or public
