"""Reruns a training with everything that was resolved when it started."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeGuard

from flask_babel import gettext as _

from app.access import private
from app.config import settings
from app.core.train import TrainingParams, TrainingStart
from app.database import writing
from app.errors import Conflict
from app.extensions import db
from app.jobs.devices import CPU
from app.jobs.scheduler import Scheduler
from app.jobs.workers import gpus_for_jobs
from app.models import Dataset, Training, TrainingStatus
from app.schemas.trainings import TrainingCreatedValues
from app.services import idempotency
from app.services.backup.files import hash_of
from app.services.idempotency import RequestKey
from app.services.storage.damaged import set_file_aside
from app.services.storage.names import read_yaml
from app.services.trainer.clone import next_name
from app.services.trainer.create import ConfigColumns, refuse_missing, usable
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.launch import start_of
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import follow

if TYPE_CHECKING:
    from app.services.revisions import RevisionHashes

logger = logging.getLogger("yolo.training")


class StartWeights(TypedDict):
    """The file of a run's initial weights."""

    name: str
    sha256: str


class RunConfig(TypedDict, total=False):
    """config.yaml of a run, as far as it is read here; `arguments`: of ultralytics, `versions`: by package."""

    arguments: Mapping[str, object]
    start_weights: StartWeights | None
    versions: Mapping[str, str] | None
    dataset_revision: str | None
    optimizer: str | None


AUTO_MOMENTUM = 0.9  # of the AdamW and MuSGD that ultralytics' `auto` creates, which its arguments do not show


class TrainingReruns:
    """Reruns trainings.

    Args:
        store: of their rows and folders.
        feed: sends messages to browsers.
        scheduler: starts the new one.
        revisions: computes the hash of a dataset's present files.
    """

    def __init__(
        self, store: TrainingStore, feed: TrainingFeed, scheduler: Scheduler, revisions: "RevisionHashes"
    ) -> None:
        self.store, self.feed, self.scheduler, self.revisions = store, feed, scheduler, revisions

    def run_again(self, training_id: int, anyway: bool = False, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Queue a training with the resolved configuration of this one, once per Idempotency-Key.

        Args:
            anyway: even if its dataset, initial weights or device have changed.

        Raises:
            NotFound: there is no such training.
            Conflict: the run would differ; the message says why.
            Unprocessable: it started from a run that this person may not see.
        """
        return idempotency.run_idempotent(key, lambda: self.queue_again(training_id, anyway, key))

    def queue_again(self, training_id: int, anyway: bool, key: RequestKey | None) -> TrainingCreatedValues:
        row = self.store.row(training_id)
        private.expect_start(row.start)
        used = self.used_config(training_id)
        values = same_columns(row, used)
        if not anyway:
            self.check_unchanged(row, used)
        values["name"] = next_name(values["name"])
        with writing() as session:
            dataset = usable(session.get(Dataset, values["dataset_id"]))
            refuse_missing(self.store.storage, dataset, values["revision"])
            new = Training(**values, cloned_from=training_id, status=TrainingStatus.PENDING, seq=1)
            session.add(new)
            session.flush()
            follow(new)
            answer: TrainingCreatedValues = {
                "message": _("Training started"),
                "training_id": new.id,
                "status": str(new.status),
            }
            idempotency.store_answer(session, key, answer)
        logger.info("training %s is repeated as %s", training_id, answer["training_id"])
        self.feed.send_status(answer["training_id"])
        self.scheduler.wake()
        return answer

    def used_config(self, training_id: int) -> RunConfig:
        """config.yaml as the child wrote it at the start; empty if it never started."""
        path = self.store.folder(training_id) / "config.yaml"
        config = read_yaml(path)
        if path.is_file() and not is_config(config):
            set_file_aside(path, "no configuration")
        return config if config and is_config(config) else {}

    def check_unchanged(self, row: Training, used: RunConfig) -> None:
        """Check that the rerun would be the same.

        Raises:
            Conflict: it names what has changed.
        """
        how = _("Send “anyway” to rerun with what is available now.")
        recorded = used.get("dataset_revision") or row.dataset_revision
        weights, path = used.get("start_weights"), self.start_file(row, used)
        on_gpu = row.device not in {None, CPU}
        db.session.rollback()  # no transaction may be open during the wait
        data = self.store.storage.dataset_yaml(row.dataset_id, row.revision)
        if recorded and self.revisions.current(row.dataset_id, data) != recorded:
            raise Conflict(_("The dataset has changed since then. The results would not be comparable.") + f" {how}")
        if weights and (path is None or hash_of(path) != weights["sha256"]):
            problem = _("The initial weights %(name)s are missing or have changed.", name=weights["name"])
            raise Conflict(f"{problem} {how}")
        if on_gpu and not gpus_for_jobs(settings()):
            raise Conflict(_("This run used a GPU, but this machine has none now.") + f" {how}")

    def start_file(self, row: Training, used: RunConfig) -> Path | None:
        """The file of the initial weights for the same run, if it exists."""
        if row.start.get("kind") == "training":
            path = Path(start_of(row, settings())["path"])
        else:
            weights = used.get("start_weights")
            path = settings().WEIGHTS_DIR / ((weights and weights["name"]) or "none")
        return path if path.is_file() else None


def is_config(config: Any) -> TypeGuard[RunConfig]:
    """Whether the document has all fields that are read."""
    if not config or not isinstance(config.get("arguments"), dict):
        return False
    weights = config.get("start_weights")
    named = weights is None or (isinstance(weights, dict) and {"name", "sha256"} <= weights.keys())
    return named and isinstance(config.get("versions") or {}, dict)


def same_columns(row: Training, used: RunConfig) -> ConfigColumns:
    """The columns of a training that repeats this one, with resolved values for automatic ones."""
    return {
        "name": row.name,
        "dataset_id": row.dataset_id,
        "revision": row.revision,
        "dataset_revision": row.dataset_revision,
        "model_version": row.model_version,
        "architecture": row.architecture,
        "task": row.task,
        "start": same_start(row, used),
        "epochs": row.epochs,
        "total_epochs": row.epochs,
        "batch_size": row.batch_now or row.batch_size,
        "img_size": row.img_size,
        "learning_rate": row.learning_rate,
        "params": same_params(row, used),
    }


def same_params(row: Training, used: RunConfig) -> TrainingParams:
    """The same seed, loader processes and device, and the optimizer that `auto` chose.

    `auto` stays if the same version of ultralytics will choose again: its AdamW differs in details from a named one.
    """
    arguments = used.get("arguments") or {}
    params = row.params.copy()
    if isinstance(seed := arguments.get("seed"), int):
        params["seed"] = seed
    if isinstance(workers := arguments.get("workers"), int):
        params["workers"] = workers
    if row.device == CPU:
        params["device"] = CPU
    same_version = (used.get("versions") or {}).get("ultralytics") == version("ultralytics")
    optimizer = used.get("optimizer")
    if params.get("optimizer", "auto") == "auto" and optimizer and not same_version:
        params |= {"optimizer": optimizer, "momentum": params.get("momentum", AUTO_MOMENTUM)}
    return params


def same_start(row: Training, used: RunConfig) -> TrainingStart:
    """The start with the same weights: those chosen by `auto`; uploaded weights if they are unchanged."""
    if row.is_uploaded:
        return {"kind": "training", "training_id": row.id, "checkpoint": "best"}
    if row.start.get("kind", "auto") != "auto" or not used:
        return row.start or {"kind": "auto"}
    return {"kind": "official" if row.weights == "official" else "scratch"}
