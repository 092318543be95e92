"""Imports weights that were trained elsewhere as a completed run, which can be tested, evaluated, exported or used as a
start.
"""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from flask_babel import gettext as _

from app.config import settings
from app.core.files import sync_file
from app.core.names import printable_name
from app.core.programs import WeightsResult, WeightsSpec
from app.core.text_data import TextData
from app.core.weights import memory_to_load
from app.database import writing
from app.errors import BadUpload, TooManyRequests, Unavailable, Unprocessable
from app.events import Finished, Refused
from app.extensions import db
from app.jobs.short import run_program
from app.models import Checkpoint, Dataset, Training, TrainingStatus, now
from app.models.training import UPLOADED
from app.schemas.uploaded_models import UploadedModelOutValues
from app.services import about
from app.services.idempotency import RequestKey, run_idempotent, store_answer
from app.services.installation import ids
from app.services.storage.unpack import Pacer, remove_tree
from app.services.trainer.architectures import FITTING, Architecture, architectures, find
from app.services.trainer.create import revision_of, usable
from app.services.trainer.messages import RoomMessage, status_message
from app.texts import task_names
from app.threads import run_blocking

if TYPE_CHECKING:
    from app.services.trainer.feed import TrainingFeed
    from app.services.trainer.store import TrainingStore

logger = logging.getLogger("yolo.models")

WEIGHTS = "run/weights/best.pt"  # below the folder of a run
LONGEST_S = 180.0
MOST_EXPANDED = 4 * 1024**3  # bytes; ultralytics' largest model has a tenth
MOST_AT_ONCE = 2  # concurrent checks: each has a child that loads torch


@dataclass(frozen=True)
class ModelUpload:
    """The fields of the request. `filename`: without folders; `name`: of the run, "" for the default."""

    filename: str
    dataset_id: int
    name: str = ""


class UploadedModels:
    """Validates and stores uploaded weights.

    Args:
        store: of the runs' folders. feed: sends messages to browsers.
    """

    def __init__(self, store: "TrainingStore", feed: "TrainingFeed") -> None:
        self.store, self.storage, self.feed = store, store.storage, feed
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)

    def add(
        self, file: IO[bytes], filename: str, dataset_id: int, name: str = "", key: RequestKey | None = None
    ) -> UploadedModelOutValues:
        """Create a completed run with these weights, as ModelCreated; once per key.

        Args:
            dataset_id: the dataset on whose images it is verified and evaluated by default.

        Raises:
            BadUpload: invalid file name.
            Unprocessable: the file is invalid, or the dataset does not match the model.
            Conflict: the dataset is not ready.
        """
        if not filename.lower().endswith(".pt"):
            message = _("The file name must end in .pt.")
            raise BadUpload(_("Only .pt files of ultralytics are accepted."), [{"field": "file", "message": message}])
        upload = ModelUpload(Path(filename).name[-255:], dataset_id, name)
        return run_idempotent(key, lambda: self.add_once(file, upload, key))

    def add_once(self, file: IO[bytes], upload: ModelUpload, key: RequestKey | None) -> UploadedModelOutValues:
        architectures()  # loaded here, where the first read yields to other requests
        usable(db.session.get(Dataset, upload.dataset_id))
        db.session.rollback()  # no transaction may be open while the child is awaited
        self.storage.check_space(0, settings().MIN_FREE_DISK)
        staging = self.storage.new_tmp()
        weights = staging / WEIGHTS
        weights.parent.mkdir(parents=True)
        try:
            file.seek(0)
            with open(weights, "xb") as output:
                copy(file, output)
            run_blocking(sync_file, weights)
            return self.store_run(staging, self.check_file(weights), upload, key)
        finally:
            remove_tree(staging)

    def check_file(self, weights: Path) -> WeightsResult:
        """Read the file in a child; its result.

        Raises:
            Unprocessable: the file is invalid.
            Unavailable: it could not be checked.
            TooManyRequests: too many files are being checked.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyRequests(_("Other model files are being checked. Send this one again in a moment."))
        needed = memory_to_load(weights.stat().st_size)
        values = WeightsSpec(str(weights), MOST_EXPANDED, needed, settings().MAX_CLASSES).values()
        try:
            with self.storage.temporary() as scratch:
                ending = run_program("check_weights", scratch, values, LONGEST_S, limited=True)
        finally:
            self._slots.release()
        if isinstance(ending, Finished):
            return cast(WeightsResult, ending.result)
        if isinstance(ending, Refused):
            raise refuse("file", reason(ending.code, ending.data))
        logger.warning("uploaded weights could not be checked: %s", ending)
        if getattr(ending, "kind", "") == "out_of_memory":
            raise refuse("file", reason("too_large", {}))
        if getattr(ending, "kind", "") in {"killed", "crashed", "timeout", "code"}:
            raise refuse("file", _("The file can't be read as a model: checking it failed. See the server log."))
        raise Unavailable(_("The file can't be checked now. Try again."))

    def store_run(
        self, staging: Path, model_file: WeightsResult, upload: ModelUpload, key: RequestKey | None
    ) -> UploadedModelOutValues:
        """Install the folder, commit its row, then notify. A crash in between leaves a folder without a row, which the
        next start sets aside, or a complete run, whose response is replayed for the same key.
        """
        described = self.reserve(model_file, upload)
        target = self.install(staging, described)
        try:
            answer, messages = self.record(described, model_file, upload, key)
        except BaseException:
            os.replace(target, staging)
            raise
        self.notify(answer["training_id"], messages)
        return answer

    def reserve(self, model_file: WeightsResult, upload: ModelUpload) -> Training:
        """The run's row as described in its folder, with a reserved id; not in the database yet.

        Raises:
            Unprocessable: the dataset does not match the model.
            Conflict: the dataset is not ready.
        """
        with writing() as session:
            row = draft(session, model_file, upload)
            row.id, row.created_at = ids.reserve(session, "training"), now()
        return row

    def install(self, staging: Path, described: Training) -> Path:
        """Write and sync the folder, before any write transaction."""
        about.write(staging, "training", described)
        for folder in ("run/weights", "run", "."):
            run_blocking(sync_file, staging / folder)
        target = self.store.folder(described.id)
        if target.exists():  # the new id has no row, so the folder belongs to none
            self.storage.set_aside(target)
        os.replace(staging, target)
        run_blocking(sync_file, target.parent)
        return target

    def record(
        self, described: Training, model_file: WeightsResult, upload: ModelUpload, key: RequestKey | None
    ) -> tuple[UploadedModelOutValues, list[RoomMessage]]:
        """Commit the row, its checkpoint and the key; the response, and the messages for browsers."""
        size = (self.store.folder(described.id) / WEIGHTS).stat().st_size
        answer: UploadedModelOutValues = {
            "message": _("Model added"),
            "training_id": described.id,
            "status": str(TrainingStatus.COMPLETED),
            "task": model_file["task"],
            "architecture": model_file["architecture"],
            "classes": model_file["classes"],
            "parameters": model_file["parameters"],
        }
        with writing() as session:
            store_answer(session, key, answer)
            row = draft(session, model_file, upload)
            row.id, row.created_at = described.id, described.created_at
            row.model_path = f"models/{row.id}/{WEIGHTS}"
            session.add(row)
            session.flush()
            columns_of_file = {"epoch": row.current_epoch, "model_path": row.model_path, "size_bytes": size}
            session.add(Checkpoint(training_id=row.id, is_best=True, **columns_of_file))
            return answer, [status_message(row)]

    def notify(self, training_id: int, messages: list[RoomMessage]) -> None:
        """Send the messages, after the commit."""
        row = self.store.row(training_id)
        self.store.describe(row)
        self.feed.send(messages)
        logger.info("training %d: uploaded weights (%s)", training_id, row.architecture or f"yolov8{row.model_version}")


def draft(session: Any, model_file: WeightsResult, upload: ModelUpload) -> Training:
    """The run without an id.

    Raises:
        Unprocessable: the dataset does not match the model.
        Conflict: the dataset is not ready.
    """
    dataset = usable(session.get(Dataset, upload.dataset_id, with_for_update=True))
    model = fitting(model_file, dataset)
    values = {"name": upload.name or default_name(upload.filename, model), "dataset_id": dataset.id}
    return Training(**values, **revision_of(session, dataset), **columns(model_file, model, upload.filename))


def default_name(filename: str, model: Architecture) -> str:
    """The name of the run if the request has none."""
    return printable_name(Path(filename).stem).strip()[:100] or model.name


def columns(model_file: WeightsResult, model: Architecture, filename: str) -> dict[str, object]:
    """The columns of the row; epochs are those of the checkpoint's training arguments."""
    is_yolov8 = model.name == f"yolov8{model.size}" and model.task == "detect"
    epochs, time = model_file["epochs"] or 1, now()
    start = {"kind": UPLOADED, "file": filename, "sha256": model_file["sha256"], "classes": model_file["classes"]}
    values = {"start": start, "status": TrainingStatus.COMPLETED, "start_time": time, "end_time": time}
    values |= {"epochs": epochs, "total_epochs": epochs, "current_epoch": epochs}
    values |= {"task": model.task, "model_version": model.size[:10], "architecture": None if is_yolov8 else model.name}
    values |= {"batch_size": model_file["batch"] or 16, "img_size": model_file["img_size"] or 640, "params": {}}
    return values | {"notes": [{"code": UPLOADED, "data": {"file": filename}}]}


def fitting(model_file: WeightsResult, dataset: Dataset) -> Architecture:
    """The model's architecture.

    Raises:
        Unprocessable: it is unknown here, or the dataset is for another task.
    """
    model = find(model_file["architecture"])
    if model is None or model.task != model_file["task"]:
        raise refuse("file", reason("architecture", {"name": model_file["architecture"]}))
    if dataset.task not in FITTING[model.task]:
        problem = _(
            "The model's task is “%(task)s”, but the dataset's task is “%(dataset_task)s”. Choose another dataset.",
            task=task_names(model.task),
            dataset_task=task_names(dataset.task),
        )
        raise refuse("dataset_id", problem)
    return model


def reason(code: str, data: TextData) -> str:
    """Why a file cannot be used, in the language of the request."""
    match code:
        case "foreign":
            named = data["names"]
            names = ", ".join(map(printable_name, named if isinstance(named, list) else []))
            return _(
                "The file refers to code that no model needs (%(names)s), so it was not loaded. Save the model again "
                "with ultralytics.",
                names=names,
            )
        case "architecture":
            return _(
                "The model's architecture (%(name)s) isn't one of this server's. Upload a model that ultralytics "
                "trained from one of its own.",
                name=printable_name(str(data["name"])) or "?",
            )
        case "no_model":
            return _("The file holds no YOLO or RT-DETR model of ultralytics. Upload the best.pt of a training.")
        case "damaged":
            return _("The file is damaged or cut short. Upload it again.")
        case "too_large":
            return _("The file is too large once expanded.")
        case "classes":
            return _(
                "The model's class names can't be used: there must be one printable name of at most 200 characters for "
                "each class, numbered from 0. Save the model again with ultralytics."
            )
        case "img_size":
            return _(
                "The model's image size (%(size)s) can't be used: it must be a whole number from 32 to 4096. Train or "
                "save the model with one imgsz.",
                size=printable_name(str(data["size"])),
            )
        case "classes_too_many":
            return _("The model has more classes than the limit of %(limit)s (MAX_CLASSES).", limit=data["limit"])
    return _("The file isn't a PyTorch model (.pt). Upload the best.pt of a training.")


def refuse(field: str, problem: str) -> Unprocessable:
    return Unprocessable(problem, [{"field": field, "message": problem}])


def copy(file: IO[bytes], output: IO[bytes]) -> None:
    pause = Pacer()
    while piece := file.read(1024 * 1024):
        output.write(piece)
        pause()
