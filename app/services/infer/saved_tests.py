"""Stored tests: a row, the original image, the image with its boxes, and the thresholds."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TypedDict

from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.access.creators import creator_conditions
from app.core.predict import Inference
from app.core.shapes import Detection
from app.database import writing
from app.errors import NotFound
from app.extensions import db, socketio
from app.models import Test, Training
from app.schemas import TestOut
from app.services import about
from app.services.infer.engines import Engines
from app.services.infer.models import TestableModels
from app.services.infer.predicting import Prediction, image_extension
from app.services.storage import StorageService
from app.services.storage.damaged import set_file_aside

logger = logging.getLogger("yolo.inference")

COPY_BYTES = 1024 * 1024
DETAILS = "details.json"
DETAIL_NAMES = ("filename", "checkpoint", "floor", "width", "height", "task", "weaker")


class TestDetails(TypedDict, total=False):
    """The options of a test, and its weaker detections; see TestOut."""

    filename: str
    checkpoint: str | None
    floor: float | None
    width: int
    height: int
    task: str
    weaker: list[Detection]


class Tests:
    """Creates, lists and deletes tests."""

    def __init__(
        self, storage: StorageService, models: TestableModels, prediction: Prediction, engines: Engines
    ) -> None:
        self.storage, self.models, self.prediction, self.engines = storage, models, prediction, engines

    def create_test(
        self,
        file: IO[bytes],
        filename: str,
        training_id: int,
        conf: float,
        iou: float,
        checkpoint: str | None = None,
        floor: float | None = None,
    ) -> Test:
        """Run a training's model on an uploaded image and store both; a failure leaves nothing.

        Args:
            checkpoint: see `model_of`.
            floor: see `predict`; the weaker detections are stored beside the image, see `details`.

        Raises:
            NotFound: there is no such training or checkpoint.
            Conflict: it has no weights. Also what `predict` raises.
        """
        model = self.models.model_of(training_id, checkpoint)
        export = self.engines.fastest_export(training_id, model)
        db.session.rollback()  # no transaction may be open while the child is awaited
        name = "input_image" + image_extension(filename)
        staging = self.storage.new_tmp()
        staging.mkdir(parents=True)
        try:
            copy(file, staging / name)
            drawn = staging / "annotated.jpg"
            answer = self.prediction.predict(staging / name, model, conf, iou, drawn, floor, export, sync=True)
            if checkpoint is not None or floor is not None:
                details: TestDetails = {
                    "filename": Path(filename).name,
                    "checkpoint": checkpoint,
                    "floor": floor,
                    "width": answer["width"],
                    "height": answer["height"],
                    "task": answer["task"],
                    "weaker": answer["weaker"],
                }
                write_synced(staging / DETAILS, details)
            return self._store(staging, name, training_id, conf, iou, answer)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _store(self, staging: Path, name: str, training_id: int, conf: float, iou: float, answer: Inference) -> Test:
        """Commit the row after its files are in place."""
        test = Test(
            training_id=training_id,
            results=answer["detections"],
            confidence_threshold=conf,
            iou_threshold=iou,
            inference_time=answer["inference_time"],
            total_time=answer["total_time"],
        )
        folder = None
        try:
            with writing() as session:
                if session.get(Training, training_id) is None:
                    raise NotFound(_("Run %(id)s doesn't exist.", id=training_id))
                session.add(test)
                session.flush()
                folder = self._install(staging, test.id)
                test.image_path = str((folder / name).relative_to(self.storage.data_root))
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        about.write(folder, "test", test)
        logger.info("test %s: training %s, %s detections", test.id, training_id, len(answer["detections"]))
        return test

    def _install(self, staging: Path, test_id: int) -> Path:
        folder = Path(self.storage.test_dir(test_id))
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # the new id has no row, so the folder belongs to none
            self.storage.set_aside(folder)
        os.replace(staging, folder)
        return folder

    def list_tests(
        self,
        page: int,
        per_page: int,
        training_id: int | None = None,
        search: str = "",
        created_by: str | None = None,
    ) -> Pagination:
        """Tests, newest first.

        Args:
            search: a part of the training's name.
            created_by: see `creator_conditions`.
        """
        query = (
            select(Test)
            .where(*creator_conditions(Test.created_by, created_by))
            .options(joinedload(Test.training))
            .order_by(Test.id.desc())
        )
        if training_id is not None:
            query = query.where(Test.training_id == training_id)
        if search:
            query = query.where(Test.training.has(Training.name.icontains(search, autoescape=True)))
        return db.paginate(query, page=page, per_page=per_page, error_out=False)

    def get_test(self, test_id: int) -> Test:
        """One test.

        Raises:
            NotFound
        """
        test = db.session.get(Test, test_id, options=[joinedload(Test.training)])
        if test is None:
            raise test_not_found(test_id)
        return test

    def delete_test(self, test_id: int) -> None:
        """Remove a test with its files.

        Raises:
            NotFound
        """
        with writing() as session:
            test = session.get(Test, test_id)
            if test is None:
                raise test_not_found(test_id)
            session.delete(test)
            session.flush()
            folder = self.storage.move_to_tmp(self.storage.test_dir(test_id))
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        logger.info("test %s deleted", test_id)

    def file_of(self, test: Test, annotated: bool) -> Path:
        """The image with its boxes, or as uploaded.

        Raises:
            NotFound: it was removed.
        """
        path = self._image(test)
        path = path.with_name("annotated.jpg") if annotated else path
        if not path.is_file():
            raise NotFound(_("The image of test %(id)s is no longer available.", id=test.id))
        return path

    def details(self, test: Test) -> TestDetails:
        """The test's options and weaker detections: filename, checkpoint, floor, width, height, task, weaker.

        Empty if the request had only the specification's fields.
        """
        path = self._image(test).with_name(DETAILS)
        try:
            values = json.loads(path.read_bytes())
            if not isinstance(values, dict):
                raise ValueError("no object")
            details: TestDetails = TestOut(only=[name for name in DETAIL_NAMES if name in values]).dump(values)
            return details
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            set_file_aside(path, error)
            return {}

    def _image(self, test: Test) -> Path:
        return Path(self.storage.data_root) / (test.image_path or "")


def test_not_found(test_id: int) -> NotFound:
    return NotFound(_("Test %(id)s doesn't exist.", id=test_id))


def copy(source: IO[bytes], target: Path) -> None:
    """Copy an upload to a file; yields to other requests. The caller syncs it."""
    with open(target, "xb") as file:
        while block := source.read(COPY_BYTES):
            file.write(block)
            socketio.sleep(0)


def write_synced(target: Path, content: Mapping[str, object]) -> None:
    """Write JSON and sync it."""
    with open(target, "x", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
