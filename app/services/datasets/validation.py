"""The validation of one dataset: its child process is watched, what it says is committed, then told."""

import json
import logging
import shutil
import signal
import threading
import time
import uuid
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import delete, insert

from app.database import patiently, writing
from app.events import Event, Failed, Findings, Validated, Validating
from app.extensions import socketio
from app.models import Dataset, DatasetFinding, DatasetStatus
from app.notify import to_dashboard
from app.services.datasets.texts import REASONS, say
from app.services.process import Child
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

MAX_FINDINGS = 10_000  # stored rows a dataset; all are counted
AT_ONCE = 2  # children; each uses every core
POLL_S = 0.1
STALLED_S = 60.0  # without a heartbeat

_slots = threading.BoundedSemaphore(AT_ONCE)


class Supervisor:
    """Runs the validation child of one dataset to its end.

    Args:
        storage: where the dataset is.
        dataset_id: a row with the status `validating`.
        created_at: tells it from a later row, since SQLite gives the id of a deleted row again.
    """

    def __init__(self, storage: StorageService, dataset_id: int, created_at: datetime) -> None:
        self.storage = storage
        self.dataset_id = dataset_id
        self.created_at = created_at
        self.directory = storage.validation_dir(dataset_id) / uuid.uuid4().hex
        self.stored = 0
        self.classes: list[str] = []
        self.report: dict[str, Any] = {}
        self.outcome: Event | None = None

    def run(self) -> None:
        """From a fresh start to the row's last status. Needs an application context."""
        with _slots:
            try:
                reason = self.watch()
            except Exception as error:  # the row must not stay `validating` for good
                logger.exception("validation of dataset %d", self.dataset_id)
                reason = {"code": "failed", "data": {"error": f"{type(error).__name__}: {error}"}}
            patiently(lambda: self.conclude(reason))

    def watch(self) -> dict[str, Any] | None:
        """Start the child and apply its events; why it came to no result, else None."""
        if not patiently(self.restart):
            return None
        child = Child.start("validate", self.directory, self.spec(), {})
        remember(child)
        offset, seen = 0, time.time()
        while self.outcome is None:
            alive = child.alive()  # asked first: what it said before its end is still read below
            for position, envelope in child.events(offset):
                patiently(partial(self.apply, envelope.event))
                offset = position
            if self.outcome is not None or not alive:
                break
            seen = max(seen, child.heartbeat() or 0.0)
            if time.time() - seen > STALLED_S:
                child.signal(signal.SIGKILL)
                return {"code": "stalled", "data": {}}
            socketio.sleep(POLL_S)
        return self.why_none(child)

    def restart(self) -> bool:
        """Nothing of an earlier run counts; False when the row is gone."""
        with writing() as session:
            dataset = self.row(session)
            if dataset is None:
                return False
            self.classes, self.report = dataset.classes, dataset.report
            session.execute(delete(DatasetFinding).where(DatasetFinding.dataset_id == self.dataset_id))
        end_earlier(self.directory.parent)
        return True

    def row(self, session: Any) -> Dataset | None:
        """The row, while it is the one that was to be validated."""
        dataset = session.get(Dataset, self.dataset_id)
        fits = dataset and dataset.created_at == self.created_at and dataset.status == DatasetStatus.VALIDATING
        return dataset if fits else None

    def spec(self) -> dict[str, Any]:
        return {
            "dataset": str(self.storage.dataset_dir(self.dataset_id)),
            "classes": len(self.classes),
            "names": self.classes,
            "task": self.report.get("task"),
            "keypoints": self.report.get("keypoints"),
            "max_classes": current_app.config["MAX_CLASSES"],
            "max_pixels": current_app.config["MAX_IMAGE_PIXELS"],
            "max_findings": MAX_FINDINGS,
        }

    def apply(self, event: Event) -> None:
        """One event of the child."""
        if isinstance(event, Validating):
            self.tell(DatasetStatus.VALIDATING, event.done, event.total)
        elif isinstance(event, Findings):
            rows = [item | {"dataset_id": self.dataset_id} for item in event.items]
            with writing() as session:
                if self.row(session) is not None:
                    session.execute(insert(DatasetFinding), rows)
            self.stored += len(rows)
        elif event.terminal:
            self.outcome = event

    def why_none(self, child: Child) -> dict[str, Any] | None:
        """The reason why there is no result; None when there is one."""
        if isinstance(self.outcome, Validated):
            return None
        if isinstance(self.outcome, Failed):
            logger.error("validation of dataset %d: %s\n%s", self.dataset_id, self.outcome.error,
                         self.outcome.traceback)  # fmt: skip
            return {"code": "failed", "data": {"error": self.outcome.error}}
        code = child.exit_code()
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
        logger.error("validation of dataset %d ended (%s):\n%s", self.dataset_id, how, child.log_tail())
        return {"code": "died", "data": {"how": how}}

    def conclude(self, reason: dict[str, Any] | None) -> None:
        """Write the result, then tell it."""
        result = self.outcome if isinstance(self.outcome, Validated) else None
        largest = result.largest_class if result else -1
        names = self.classes or [f"class_{index}" for index in range(largest + 1)]
        if result and names and self.directory.exists():
            self.storage.write_dataset_yaml(self.dataset_id, names, self.report.get("keypoints"))
        with writing() as session:
            dataset = self.row(session)
            if dataset is None:  # deleted meanwhile
                return
            if result:
                write_result(dataset, result, names, self.stored)
                reason = reason or verdict(result)
            finish(dataset, reason)
            status, error = dataset.status, dataset.error
            done, total = (dataset.total_images, dataset.total_images) if result else (0, dataset.total_images)
            seconds = result.seconds if result else 0.0
        logger.info("dataset %d is %s after %.2f s%s", self.dataset_id, status, seconds, f": {error}" if error else "")
        shutil.rmtree(self.directory.parent, ignore_errors=True)
        self.tell(status, done, total, error)

    def tell(self, status: str, done: int, total: int, error: str | None = None) -> None:
        body = {"dataset_id": self.dataset_id, "status": str(status), "done": done, "total": total, "error": error}
        to_dashboard("dataset_update", body)


def write_result(dataset: Dataset, result: Validated, names: list[str], stored: int) -> None:
    """What the validation counted, into the row."""
    report = {key: value for key, value in dataset.report.items() if key != "reason"}
    added: list[tuple[str, dict[str, Any]]]
    added = [] if dataset.classes or not names else [("classes_unnamed", {"last": len(names) - 1})]
    if result.task != "detect" and not report.get("task"):
        added.append(("task_found", {"task": result.task}))
    aside = result.findings.get("image_broken", 0) + result.findings.get("image_too_large", 0)
    if aside:
        added.append(("set_aside", {"count": aside}))
    total = sum(result.findings.values())
    if total > stored:
        added.append(("findings_cut", {"total": total, "stored": stored}))
    codes = {code for code, _data in added}
    kept = [item for item in report.get("decisions", []) if item["code"] not in codes]
    report["decisions"] = kept + [{"code": code, "data": data} for code, data in added]
    report |= {"images": result.images, "usable": result.usable, "boxes": result.boxes, "findings": result.findings,
               "findings_total": total, "seconds": result.seconds}  # fmt: skip
    dataset.report, dataset.classes, dataset.task = report, names, result.task
    dataset.train_images, dataset.val_images = result.images["train"], result.images["val"]
    dataset.test_images, dataset.total_images = result.images["test"], sum(result.images.values())


def verdict(result: Validated) -> dict[str, Any] | None:
    """Why a training could not use this dataset; None when it can."""
    if not result.usable["train"]:
        return {"code": "no_train", "data": {}}
    if not result.usable["val"]:
        return {"code": "no_val", "data": {}}
    if result.findings.get("label_box"):
        return {"code": "boxes_only", "data": {"task": result.task}}
    return None if result.boxes else {"code": "no_boxes", "data": {}}


def finish(dataset: Dataset, reason: dict[str, Any] | None) -> None:
    """The last status, with its reason."""
    if dataset.status == DatasetStatus.VALID:  # its files were lost later
        dataset.become(DatasetStatus.VALIDATING)
    dataset.become(DatasetStatus.INVALID if reason else DatasetStatus.VALID)
    dataset.error = say(REASONS, reason["code"], reason["data"]) if reason else None
    if reason:
        dataset.report = dataset.report | {"reason": reason}


def remember(child: Child) -> None:
    """Who validates here, for a web process that starts later."""
    (child.directory / "child.json").write_text(json.dumps({"pid": child.pid, "started": child.started}))


def end_earlier(directory: Path) -> None:
    """End the children of earlier runs, which outlive their web process, and remove their folders."""
    for path in directory.glob("*/child.json"):
        try:
            known = json.loads(path.read_text())
            Child(path.parent, known["pid"], known["started"]).signal(signal.SIGKILL)
        except (KeyError, ValueError):  # cut short by a crash
            logger.warning("%s cannot be read", path)
    shutil.rmtree(directory, ignore_errors=True)
