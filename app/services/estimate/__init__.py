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
from app.extensions import db, socketio
from app.models import Dataset, Estimate, Training, now
from app.services.dispatch import free_disk
from app.services.estimate.figures import LONGEST_S, history, measured, reason, unavailable
from app.services.estimate.wanted import Checked, Wanted, describe
from app.services.process import CRASHES, Child
from app.services.storage.unpack import remove_tree
from app.services.trainer.launch import environment

if TYPE_CHECKING:
    from app.services.storage import StorageService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.estimate")

KEPT = timedelta(days=30)
MEASURE_S = 8.0  # of training batches; validation and saving come on top
AGAIN_S = 60.0  # after a failure
POLL_S = 0.2


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
