"""What a training would need: time, memory and disk, from a few real batches on its device before it starts."""

import hashlib
import json
import logging
import os
import signal
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from flask_babel import gettext as _
from sqlalchemy import select

from app.database import writing
from app.events import KEPT_CHECKPOINTS
from app.extensions import db, socketio
from app.models import Checkpoint, Dataset, Estimate, Training, TrainingMetric, TrainingStatus, now
from app.services import system
from app.services.dispatch import CPU, devices_for, free_disk, gpus
from app.services.process import CRASHES, Child
from app.services.storage.unpack import remove_tree
from app.services.trainer import texts
from app.services.trainer.launch import environment, spec
from app.services.trainer.present import duration

if TYPE_CHECKING:
    from app.services.storage import StorageService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.estimate")

KEPT = timedelta(days=30)
MEASURE_S = 8.0  # of training batches; validation and saving come on top
LONGEST_S = 300.0  # reading a large dataset for the first time; the batches themselves take some 20 s
AGAIN_S = 60.0  # after a failure
POLL_S = 0.2
CLOSE_MOSAIC = 10  # ultralytics' default: so many last epochs have no mosaic
# What costs neither time nor memory: another value needs no other measurement.
FREE = {"seed", "patience", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr",
        "cos_lr", "box", "cls", "dfl", "save_period", "device", "close_mosaic"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """A training that was asked about, checked as if it were to be created."""

    key: str
    spec: dict[str, Any]
    devices: tuple[str, ...]
    row: dict[str, Any]  # the columns that the answer depends on


class Checked(Exception):
    """Takes what was learned out of the transaction of `TrainingService.create`, which is rolled back."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__("checked")
        self.wanted = wanted


class EstimateService:
    """Answers from the table `estimate`, measures what is missing, one at a time on each device.

    Args:
        storage: where a measurement has its folder.
        trainer: checks requests, and knows which devices are in use.
    """

    def __init__(self, storage: "StorageService", trainer: "TrainingService") -> None:
        self.storage, self.trainer = storage, trainer
        self.measuring: dict[str, str] = {}  # key by device
        self.failed: dict[str, tuple[float, str, str]] = {}  # when, kind and error, by key

    def estimate(self, values: dict[str, Any]) -> dict[str, Any]:
        """The figures, or that they are being measured; `values` as TrainingIn loads them.

        Raises:
            AppError: what creating this training would raise.
        """
        wanted = self.check(values)
        known = db.session.get(Estimate, wanted.key)
        if known is not None and known.created_at > now() - KEPT:
            return measured(wanted, known.figures)
        if self.in_use(wanted.devices):
            return history(wanted) or unavailable(
                _("A training uses the device now, and there is none like this one to compare with.")
            )
        when, kind, error = self.failed.get(wanted.key, (0.0, "", ""))
        if kind and time.monotonic() - when < AGAIN_S:
            return unavailable(reason(kind, error))
        if free_disk(self.storage.tmp) < current_app.config["DISK_RESERVE"]:
            return unavailable(_("The disk is too full to try this training (DISK_RESERVE). Free some space."))
        self.begin(wanted)
        return {"status": "measuring", "device": wanted.devices[0]}

    def check(self, values: dict[str, Any]) -> Wanted:
        """Everything that creating the training would check; nothing is kept."""

        def within(session: Any, row: Training) -> None:
            session.flush()
            raise Checked(describe(row, session.get(Dataset, row.dataset_id)))

        try:
            self.trainer.create(values, within)
        except Checked as result:
            return result.wanted
        raise RuntimeError("create() did not come to its transaction")

    def in_use(self, devices: tuple[str, ...]) -> bool:
        """Whether a training is on one of these devices."""
        dispatcher = self.trainer.dispatcher
        taken = {item for held in dispatcher.busy.values() for item in held} if dispatcher else set()
        return not taken.isdisjoint(devices)

    def begin(self, wanted: Wanted) -> None:
        """Start to measure, unless the device is measured already: the next question starts it then."""
        device = wanted.devices[0]
        if device not in self.measuring:
            self.measuring[device] = wanted.key
            app = current_app._get_current_object()  # type: ignore[attr-defined]
            socketio.start_background_task(self.measure, app, wanted)

    def measure(self, app: Flask, wanted: Wanted) -> None:
        """The background task: run the child, keep what it found."""
        try:
            with app.app_context():
                began = time.monotonic()
                figures = self.ask_child(app, wanted)
                if "error" in figures and figures["error_kind"] != "out_of_memory":
                    self.failed[wanted.key] = (time.monotonic(), figures["error_kind"], figures["error"])
                    return
                with writing() as session:
                    session.merge(Estimate(key=wanted.key, figures=figures, created_at=now()))
                logger.info("estimated in %.1f s: %s", time.monotonic() - began, figures)
        except Exception as error:
            logger.exception("estimate")
            self.failed[wanted.key] = (time.monotonic(), "code", str(error))
        finally:
            self.measuring.pop(wanted.devices[0], None)

    def ask_child(self, app: Flask, wanted: Wanted) -> dict[str, Any]:
        """What the child writes, or why it did not."""
        folder = self.storage.new_tmp()
        values = wanted.spec | {"training_dir": str(folder / "run"), "measure_seconds": MEASURE_S}
        try:
            while True:
                child = Child.start("estimate", folder, values, environment(wanted.devices[:1], app.config))
                problem = self.watch(child, wanted.devices)
                try:
                    return json.loads((folder / "result.json").read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    logger.warning("no estimate (%s, status %s): %s", problem, child.exit_code(), child.log_tail())
                crashed = app.config["TRAINING_MEMORY_LIMIT"] and child.exit_code() in CRASHES
                values = json.loads((folder / "spec.json").read_text(encoding="utf-8"))  # its batch may be halved
                if not crashed or values["batch_now"] < 2:
                    return {"error_kind": problem, "error": ""}
                half = values["batch_now"] // 2
                values |= {"halvings": values.get("halvings", 0) + 1, "batch_size": half, "batch_now": half}
        finally:
            child.sweep()
            remove_tree(folder)

    def watch(self, child: Child, devices: tuple[str, ...]) -> str:
        """Until it has ended: why it may have no result. A training that wants the device goes first."""
        problem, until = "killed", time.monotonic() + LONGEST_S
        while child.alive():
            if self.in_use(devices) or time.monotonic() > until:
                problem = "slow" if time.monotonic() > until else "device_taken"
                child.signal(signal.SIGKILL)
            socketio.sleep(POLL_S)
        return problem


def describe(row: Training, dataset: Dataset) -> Wanted:
    """The row of a training that is not kept, as a question."""
    config = current_app.config
    here = gpus(config["CUDA_VISIBLE_DEVICES"])
    devices = devices_for(row.params.get("device", "auto"), here, ()) or (CPU,)
    batch = max(1, row.batch_size // len(devices))
    values = spec(row, Path(config["MODELS_DIR"]), devices[:1], config) | {"batch_size": batch, "batch_now": batch}
    names = (
        "dataset_id",
        "revision",
        "model_version",
        "architecture",
        "task",
        "epochs",
        "batch_size",
        "img_size",
        "params",
    )
    facts = {name: getattr(row, name) for name in names}
    depends = {
        "images": [dataset.train_images, dataset.val_images, dataset.total_images],
        "params": {name: value for name, value in row.params.items() if name not in FREE},
        "mosaic": row.epochs > row.params.get("close_mosaic", CLOSE_MOSAIC),
        "start": row.start,
        "devices": devices,
        "machine": [os.cpu_count(), [gpu["name"] for gpu in system.gpus()] if devices != (CPU,) else []],
        "limit": config["TRAINING_MEMORY_LIMIT"],
        "versions": [version("torch"), version("ultralytics"), current_app.version],  # type: ignore[attr-defined]
    }
    same = {name: value for name, value in facts.items() if name not in {"epochs", "params"}}
    text = json.dumps(same | depends, sort_keys=True)
    return Wanted(hashlib.sha256(text.encode()).hexdigest(), values, devices, facts)


def measured(wanted: Wanted, figures: dict[str, Any]) -> dict[str, Any]:
    """The answer from what a child measured."""
    row, asked = wanted.row, wanted.row["batch_size"]
    if "error" in figures:
        text = _("Even smaller batches do not fit into memory. Use a smaller image size or model.")
        return {"status": "ready", "basis": "measured", "fits": False, "largest_batch": None, "reason": text}
    answer = {
        "status": "ready",
        "basis": "measured",
        "fits": figures["fits"],
        "largest_batch": None if figures["fits"] else figures["batch"] * len(wanted.devices),
        **{name: figures[name] for name in ("memory", "memory_total", "parameters", "device", "measured_batches")},
        **times(row, figures, len(wanted.devices)),
        **disk(row, figures["checkpoint_bytes"]),
    }
    if not figures["fits"]:
        answer["reason"] = _(
            "A batch of %(asked)s does not fit into memory, one of %(batch)s does. The figures are for that one.",
            asked=asked, batch=answer["largest_batch"],
        )  # fmt: skip
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
        "seconds": round(figures["start_seconds"] + running + val, 1),
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
        "disk_enough": free - needed > current_app.config["DISK_RESERVE"],
    }


def history(wanted: Wanted) -> dict[str, Any] | None:
    """From the newest training that was like this one; None where there is none."""
    row = wanted.row
    same = ("dataset_id", "revision", "model_version", "architecture", "task", "batch_size", "img_size")
    like = [getattr(Training, name) == row[name] for name in same if row[name] is not None]
    like += [getattr(Training, name).is_(None) for name in same if row[name] is None]
    like.append(Training.device == CPU if wanted.devices == (CPU,) else Training.device != CPU)
    ended = Training.status == TrainingStatus.COMPLETED
    earlier = db.session.scalar(select(Training).where(ended, *like).order_by(Training.end_time.desc()).limit(1))
    if earlier is None:
        return None
    query = select(TrainingMetric.seconds).where(TrainingMetric.training_id == earlier.id)
    seconds = [value for value in db.session.scalars(query) if value]
    if not seconds:
        return None
    beside = max(0.0, (duration(earlier) or 0.0) - sum(seconds)) if earlier.attempt == 1 else 0.0
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
    if kind == "device_taken":
        return _("A training took the device before the measurement was done.")
    if kind == "slow":
        return _("The measurement took longer than %(seconds)s s and was given up.", seconds=int(LONGEST_S))
    return texts.failure(kind, error) or error
