"""What a training would need: time, memory and disk, from a few real batches on its device before it starts."""

import json
import logging
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from flask_babel import gettext as _

from app.database import writing
from app.errors import AppError
from app.extensions import db, socketio
from app.jobs.process import CRASHES, Child
from app.models import Dataset, Estimate, Training, now
from app.services.dispatch import free_disk
from app.services.estimate.figures import LONGEST_S, history, measured, reason, unavailable
from app.services.estimate.measuring import PLANNED_S, Measuring
from app.services.estimate.wanted import Wanted, describe
from app.services.storage.unpack import remove_tree
from app.services.trainer.create import columns
from app.services.trainer.launch import environment

if TYPE_CHECKING:
    from app.services.storage import StorageService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.estimate")

KEPT = timedelta(days=30)
TOLD_S = 30.0  # so long a failure waits for who asked; later, or once it was told, the next question measures anew
POLL_S = 0.2


class EstimateService:
    """Answers from the table `estimate`, measures what is missing, one at a time on each device.

    Args:
        storage: where a measurement has its folder.
        trainer: checks requests, and knows which devices are in use.
    """

    def __init__(self, storage: "StorageService", trainer: "TrainingService") -> None:
        self.storage, self.trainer = storage, trainer
        self.measuring: dict[str, Measuring] = {}  # by device
        self.failed: dict[str, tuple[float, str, str]] = {}  # when, kind and error, by key, until it was told

    def estimate(self, values: dict[str, Any]) -> dict[str, Any]:
        """The figures, or that they are being measured; `values` as TrainingIn loads them.

        Raises:
            AppError: what creating this training would raise.
        """
        running = dict(self.measuring)  # before the table is read: what ends meanwhile is in it the next time
        wanted = self.check(values)
        figures = self.figures(wanted)
        if figures is not None:
            return measured(wanted, figures)
        if going_on := running.get(wanted.devices[0]):
            return going_on.answer(wanted.key, wanted.devices[0])
        if self.in_use(wanted.devices):
            return history(wanted) or unavailable(
                _("A run is using the device, and no previous run has the same configuration.")
            )
        when, kind, error = self.failed.pop(wanted.key, (0.0, "", ""))
        if kind and time.monotonic() - when < TOLD_S:
            return unavailable(reason(kind, error))
        if free_disk(self.storage.tmp) < current_app.config["DISK_RESERVE"]:
            return unavailable(_("Not enough disk space for a trial run (DISK_RESERVE). Free some space."))
        return self.begin(wanted).answer(wanted.key, wanted.devices[0])

    def known(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """The answer without measuring anything; None where there is none yet.

        Raises:
            AppError: what creating this training would raise.
        """
        wanted = self.check(values)
        figures = self.figures(wanted)
        return history(wanted) if figures is None else measured(wanted, figures)

    def known_seconds(self, values: dict[str, Any]) -> float | None:
        """The whole run, as far as it is known; None also where no such run could be created."""
        try:
            return (self.known(values) or {}).get("seconds")
        except AppError:
            return None

    def figures(self, wanted: Wanted) -> dict[str, Any] | None:
        """What was measured of this configuration."""
        found = db.session.get(Estimate, wanted.key)
        return found.figures if found is not None and found.created_at > now() - KEPT else None

    def check(self, values: dict[str, Any]) -> Wanted:
        """Everything that creating the training would check; nothing is kept."""
        with db.session.no_autoflush:
            row = Training(**columns(db.session, values), extensions=[])
            return describe(row, db.session.get_one(Dataset, row.dataset_id))

    def in_use(self, devices: tuple[str, ...]) -> bool:
        """Whether a training is on one of these devices."""
        dispatcher = self.trainer.dispatcher
        taken = {item for held in dispatcher.busy.values() for item in held} if dispatcher else set()
        return not taken.isdisjoint(devices)

    def begin(self, wanted: Wanted) -> Measuring:
        """Start to measure, unless the device is measured already: the next question starts it then."""
        device = wanted.devices[0]
        if device not in self.measuring:
            self.measuring[device] = Measuring(wanted.key)
            app = current_app._get_current_object()  # type: ignore[attr-defined]
            socketio.start_background_task(self.measure, app, wanted)
        return self.measuring[device]

    def measure(self, app: Flask, wanted: Wanted) -> None:
        """The background task: run the child, keep what it found. Failures are told once and not kept."""
        try:
            with app.app_context():
                began = time.monotonic()
                figures = self.ask_child(app, wanted)
                if "error" in figures and figures["error_kind"] != "out_of_memory":
                    self.fail(wanted, figures["error_kind"], figures["error"])
                    return
                with writing() as session:
                    session.merge(Estimate(key=wanted.key, figures=figures, created_at=now()))
                logger.info("estimated in %.1f s: %s", time.monotonic() - began, figures)
        except Exception as error:
            logger.exception("estimate")
            self.fail(wanted, "code", str(error))
        finally:
            self.measuring.pop(wanted.devices[0], None)

    def fail(self, wanted: Wanted, kind: str, error: str) -> None:
        logger.warning("no estimate for dataset %s (%s): %s", wanted.row["dataset_id"], kind, error or "no result")
        self.failed[wanted.key] = (time.monotonic(), kind, error)

    def ask_child(self, app: Flask, wanted: Wanted) -> dict[str, Any]:
        """What the child writes, or why it did not."""
        folder = self.storage.new_tmp()
        values = wanted.spec | {"training_dir": str(folder / "run"), "measure_seconds": PLANNED_S}
        try:
            while True:
                child = Child.start("estimate", folder, values, environment(wanted.devices[:1], app.config))
                problem = self.watch(child, wanted.devices)
                if (figures := result_of(child)) is not None:
                    return figures
                output = {"output": child.log_tail()}
                logger.warning("no estimate (%s, status %s)", problem, child.exit_code(), extra=output)
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
        problem, until, offset = "killed", time.monotonic() + LONGEST_S, 0
        while child.alive():
            for behind, envelope in child.events(offset):
                offset = behind
                self.measuring[devices[0]].hear(envelope.event)
            if self.in_use(devices) or time.monotonic() > until:
                problem = "slow" if time.monotonic() > until else "device_taken"
                child.signal(signal.SIGKILL)
            socketio.sleep(POLL_S)
        return problem


def result_of(child: Child) -> dict[str, Any] | None:
    """What it wrote; with an error, the log says where that came from. None where there is nothing."""
    try:
        figures = json.loads((child.directory / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if "error" in figures and figures["error_kind"] != "out_of_memory":
        logger.warning("the measurement failed", extra={"output": child.log_tail()})
    return figures
