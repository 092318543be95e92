"""DatasetService: import, list, delete, findings, and validation in the background."""

import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from apiflask import APIFlask
from flask import current_app
from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import case, func, select

from app.database import writing
from app.errors import BadUpload, Conflict, NotFound, Unavailable
from app.extensions import db, socketio
from app.models import Dataset, DatasetFinding, DatasetStatus, Training
from app.services.datasets.texts import DECISIONS, FINDINGS, REASONS, say
from app.services.datasets.validation import Supervisor, end_earlier, finish
from app.services.idempotency import Asked, keep
from app.services.process import Child
from app.services.storage import Limits, Staged, StorageService

logger = logging.getLogger("yolo.dataset")

SAMPLE = {"train": 240, "val": 60, "size": 192, "seed": 0}
SAMPLE_S = 120.0
POLL_S = 0.05


class DatasetService:
    """Datasets as rows and as folders.

    Args:
        storage: where their files are.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage

    def create(
        self,
        file: IO[bytes],
        filename: str,
        name: str,
        description: str = "",
        classes: str = "",
        task: str = "auto",
        asked: Asked | None = None,
    ) -> Dataset:
        """Import a ZIP and start its validation; the row's status is `validating`.

        Args:
            task: what the labels are for; auto: as they show it.
            asked: a key that is written in the row's transaction, with `dataset_id`: it tells that the row is there.

        Raises:
            AppError: it was refused, and nothing is left of it; see `StorageService.stage_dataset`.
        """
        if not filename.lower().endswith(".zip"):
            raise BadUpload(
                _("Only ZIP files are accepted here."),
                [{"field": "file", "message": _("The file's name must end in .zip.")}],
            )
        try:
            staged = self.storage.stage_dataset(file, classes, Limits.of(current_app.config), task)
        finally:
            self.storage.release(file)
        dataset_id = self.adopt(staged, name, description, asked)
        self.storage.sync_datasets()
        logger.info("dataset %d: %s, %d images, %d bytes", dataset_id, name, sum(staged.images.values()),
                    staged.size_bytes)  # fmt: skip
        self.validate(dataset_id)
        return self.get(dataset_id)

    def adopt(self, staged: Staged, name: str, description: str, asked: Asked | None = None) -> int:
        """The row and the folder, both or none; the row's id."""
        moved: int | None = None
        try:
            with writing() as session:
                dataset = Dataset(name=name, description=description, **columns(staged))
                session.add(dataset)
                session.flush()
                keep(session, asked, {"dataset_id": dataset.id})
                self.storage.place_dataset(staged, dataset.id)  # a rename: the one thing that the row waits for
                moved = dataset.id
                dataset.path = str(self.storage.dataset_dir(dataset.id))[-255:]
                dataset.become(DatasetStatus.VALIDATING)
                dataset_id = dataset.id
        except BaseException:
            if moved is None:
                self.storage.discard(staged)
            else:
                self.storage.cleanup_dataset(moved)
            raise
        return dataset_id

    def create_sample(self) -> Dataset:
        """Draw the sample dataset in a child process and import it.

        Raises:
            Unavailable: it could not be drawn.
        """
        folder = self.storage.new_tmp()
        output = folder / "sample.zip"
        try:
            child = Child.start("sample", folder, SAMPLE | {"output": str(output)}, {})
            wait_for(child, SAMPLE_S)
            if child.exit_code() != 0 or not output.exists():
                logger.error("the sample dataset was not drawn:\n%s", child.log_tail())
                raise Unavailable(_("The sample dataset could not be drawn. The server's log says why."))
            with open(output, "rb") as file:
                return self.create(file, output.name, _("Sample: shapes"), _("Drawn circles, squares and triangles."))
        finally:
            self.storage.remove(folder)

    def list(self, query: Mapping[str, Any]) -> Pagination:
        """A page of datasets; `query` as in schemas.DatasetQuery."""
        column = getattr(Dataset, query["sort"].lstrip("-"))
        order = column.desc() if query["sort"].startswith("-") else column.asc()
        statement = select(Dataset).order_by(order, Dataset.id.desc())
        if query.get("status"):
            statement = statement.where(Dataset.status == query["status"])
        if query.get("search"):
            statement = statement.where(
                Dataset.name.icontains(query["search"], autoescape=True)
                | Dataset.description.icontains(query["search"], autoescape=True)
            )
        return db.paginate(statement, page=query["page"], per_page=query["per_page"], error_out=False)

    def get(self, dataset_id: int) -> Dataset:
        """One dataset.

        Raises:
            NotFound: there is none with this id.
        """
        dataset = db.session.get(Dataset, dataset_id)
        if dataset is None:
            raise NotFound(_("There is no dataset %(id)s.", id=dataset_id))
        return dataset

    def findings(self, dataset_id: int, query: Mapping[str, Any]) -> Pagination:
        """A page of findings, errors first; `query` as in schemas.FindingQuery."""
        self.get(dataset_id)
        rank = case({"error": 0, "warning": 1}, value=DatasetFinding.severity, else_=2)
        statement = select(DatasetFinding).where(DatasetFinding.dataset_id == dataset_id)
        if query.get("severity"):
            statement = statement.where(DatasetFinding.severity == query["severity"])
        return db.paginate(
            statement.order_by(rank, DatasetFinding.id), page=query["page"], per_page=query["per_page"],
            max_per_page=100, error_out=False,
        )  # fmt: skip

    def delete(self, dataset_id: int) -> None:
        """Delete a dataset with its files; a validation that runs is ended.

        Raises:
            Conflict: a training used it. Nothing is changed.
        """
        with writing() as session:
            dataset = session.get(Dataset, dataset_id)
            if dataset is None:
                raise NotFound(_("There is no dataset %(id)s.", id=dataset_id))
            mine = select(func.count(Training.id)).where(Training.dataset_id == dataset_id)
            if used := session.scalar(mine.where(Training.deleted_at.is_(None))):
                raise Conflict(_("%(count)s trainings use this dataset. Delete them first.", count=used))
            if used := session.scalar(mine):
                raise Conflict(_("The trash holds %(count)s trainings that use this dataset. Delete them for good "
                                 "first.", count=used))  # fmt: skip
            session.delete(dataset)
            session.flush()
            folder = self.storage.take_away(dataset_id)  # a rename, here so that no new row with this id can meet it
        logger.info("dataset %d deleted", dataset_id)
        if folder is not None:
            socketio.start_background_task(self.remove_files, folder)

    def remove_files(self, folder: Path) -> None:
        """What deleting leaves for later."""
        end_earlier(folder / "validation")
        self.storage.remove(folder)

    def validate(self, dataset_id: int) -> None:
        """Start the validation of a row that is `validating`."""
        app: APIFlask = current_app._get_current_object()  # type: ignore[attr-defined]
        supervisor = Supervisor(self.storage, dataset_id, self.get(dataset_id).created_at)
        socketio.start_background_task(supervise, app, supervisor)

    def reconcile(self) -> None:
        """At start: rows and folders are made to agree, and interrupted validations start anew."""
        table = Dataset.__table__.c  # not the class: setting up the mappers would delay the server's first answer
        found = db.session.execute(select(table.id, table.status, table.classes, table.report)).all()
        rows = {dataset_id: (status, classes, report) for dataset_id, status, classes, report in found}
        stored = set(self.storage.stored_datasets())
        for dataset_id in stored - rows.keys():
            self.storage.set_aside(self.storage.dataset_dir(dataset_id))
        for dataset_id, (status, classes, report) in rows.items():
            if status == DatasetStatus.PENDING:
                self.give_up(dataset_id, "interrupted")
            elif dataset_id not in stored:
                if status != DatasetStatus.INVALID:
                    self.give_up(dataset_id, "files_missing")
            elif status == DatasetStatus.VALIDATING:
                self.validate(dataset_id)
            elif status == DatasetStatus.VALID and not self.storage.yaml_is_current(dataset_id):
                self.storage.write_dataset_yaml(dataset_id, classes, report.get("keypoints"))

    def give_up(self, dataset_id: int, code: str) -> None:
        """Mark a dataset that cannot be used any more."""
        with writing() as session:
            finish(session.get_one(Dataset, dataset_id), {"code": code, "data": {}})
        logger.warning("dataset %d is invalid: %s", dataset_id, code)

    def view(self, dataset: Dataset) -> dict[str, Any]:
        """A dataset for schemas.DatasetOut, with its decisions and its error in the reader's language."""
        report = dict(dataset.report)
        report["decisions"] = [
            item | {"message": say(DECISIONS, item["code"], item["data"])} for item in report.get("decisions", [])
        ]
        reason = report.get("reason")
        error = say(REASONS, reason["code"], reason["data"]) if reason else dataset.error
        shown = {column.key: getattr(dataset, column.key) for column in Dataset.__table__.columns}
        return shown | {"report": report, "error": error}

    def view_finding(self, finding: DatasetFinding) -> dict[str, Any]:
        """A finding for schemas.FindingOut, with its message in the reader's language."""
        message = say(FINDINGS, finding.code, finding.data)
        return {
            "id": finding.id, "severity": finding.severity, "code": finding.code, "file": finding.file,
            "line": finding.line, "message": message,
        }  # fmt: skip


def columns(staged: Staged) -> dict[str, Any]:
    """What is known of a dataset before its validation."""
    return {
        "classes": staged.names,
        "size_bytes": staged.size_bytes,
        "total_images": sum(staged.images.values()),
        "train_images": staged.images["train"],
        "val_images": staged.images["val"],
        "test_images": staged.images["test"],
        "status": DatasetStatus.PENDING,
        "task": staged.task or "detect",
        "report": {
            "decisions": staged.decisions,
            "skipped": staged.skipped,
            "renamed": staged.renamed,
            "task": staged.task,
            "keypoints": staged.keypoints,
        },
    }


def supervise(app: APIFlask, supervisor: Supervisor) -> None:
    """The background task of one validation."""
    with app.app_context():
        supervisor.run()


def wait_for(child: Child, seconds: float) -> None:
    """Let others be served until a child ends; a late one is killed."""
    for _step in range(int(seconds / POLL_S)):
        if not child.alive():
            return
        socketio.sleep(POLL_S)
    child.signal(signal.SIGKILL)
    while child.alive():
        socketio.sleep(POLL_S)
