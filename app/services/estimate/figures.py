"""The figures of an estimate: measured by a child, taken from an earlier training, or the reason why there are none."""

import statistics
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select

from app.config import settings
from app.events import KEPT_CHECKPOINTS
from app.extensions import db
from app.jobs.devices import CPU
from app.jobs.disk import free_disk
from app.jobs.recovery import DEVICE_TAKEN
from app.models import Checkpoint, Training, TrainingMetric, TrainingStatus
from app.services.estimate.request import CLOSE_MOSAIC, EstimateRequest
from app.services.trainer import texts
from app.services.trainer.paths import redact_paths

FINISH_S = 2.5  # as app/worker/eta.py: what comes behind the last epoch, beside its validation
LONGEST_S = 300.0  # reading a large dataset for the first time; the batches themselves take some 20 s


def measured(request: EstimateRequest, figures: dict[str, Any]) -> dict[str, Any]:
    """The answer from what a child measured."""
    row, asked = request.row, request.row["batch_size"]
    if "error" in figures:
        text = _("Out of memory, even with smaller batches. Use a smaller image size or model.")
        return {"status": "ready", "basis": "measured", "fits": False, "largest_batch": None, "reason": text}
    answer = {
        "status": "ready",
        "basis": "measured",
        "fits": figures["fits"],
        "largest_batch": None if figures["fits"] else figures["batch"] * len(request.devices),
        **{name: figures[name] for name in ("memory", "memory_total", "parameters", "device", "measured_batches")},
        **times(row, figures, len(request.devices)),
        **disk(row, figures["checkpoint_bytes"]),
    }
    if not figures["fits"]:
        answer["reason"] = _(
            "A batch size of %(asked)s doesn't fit into memory. The estimate is for %(batch)s, which fits.",
            asked=asked,
            batch=answer["largest_batch"],
        )
    return answer


def times(row: dict[str, Any], figures: dict[str, Any], devices: int) -> dict[str, Any]:
    """Seconds of a whole run: start, epochs with and without mosaic, and the validation of the best weights."""
    epochs = row["epochs"]
    plain = min(epochs, row["params"].get("close_mosaic", CLOSE_MOSAIC))
    batches = -(-figures["batches"] // devices)
    val = figures["val_seconds"] / devices
    beside = (val if row["params"].get("val", True) else 0.0) + figures["save_seconds"]
    batch, without = figures["batch_seconds"], figures["plain_batch_seconds"] or figures["batch_seconds"]
    running = batches * ((epochs - plain) * batch + plain * without) + epochs * beside
    return {
        "batches": batches,
        "batch_seconds": round(batch, 4),
        "val_seconds": round(val, 3),
        "start_seconds": round(figures["start_seconds"], 1),
        "epoch_seconds": round(running / epochs, 3),
        "seconds": round(figures["start_seconds"] + running + val + FINISH_S, 1),
    }


def disk(row: dict[str, Any], checkpoint: int) -> dict[str, Any]:
    """The most that the run holds on the disk: best, last, the copies to go on from, and those kept by wish. Bytes."""
    period = row["params"].get("save_period", -1)
    kept = row["epochs"] // period if period > 0 else 0
    needed = checkpoint * (2 + KEPT_CHECKPOINTS + kept)
    free = free_disk(current_app.extensions["services"].storage.models)
    return {
        "checkpoint_bytes": checkpoint,
        "disk": needed,
        "disk_free": free,
        "disk_enough": free - needed > settings().DISK_RESERVE,
    }


def history(request: EstimateRequest) -> dict[str, Any] | None:
    """From the newest training that was like this one; None where there is none."""
    row = request.row
    same = ("dataset_id", "revision", "model_version", "architecture", "task", "batch_size", "img_size")
    like = [getattr(Training, name) == row[name] for name in same if row[name] is not None]
    like += [getattr(Training, name).is_(None) for name in same if row[name] is None]
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
    return {
        "status": "ready",
        "basis": "history",
        "training_id": earlier.id,
        "device": earlier.device,
        "epoch_seconds": round(statistics.median(seconds), 3),
        "seconds": round(beside + statistics.median(seconds) * row["epochs"], 1),
        **(disk(row, checkpoint) if checkpoint else {}),
    }


def unavailable(text: str) -> dict[str, Any]:
    return {"status": "unavailable", "reason": text}


def reason(kind: str, error: str) -> str:
    """Why a measurement failed, in the reader's language."""
    if kind == DEVICE_TAKEN:
        return _("A run started on the device before the measurement finished.")
    if kind == "cancelled":
        return _("The measurement was stopped.")
    if kind == "slow":
        return _("The measurement was stopped after %(seconds)s s.", seconds=int(LONGEST_S))
    told = redact_paths(error, settings().DATA_ROOT)
    return texts.failure(kind, told) or told
