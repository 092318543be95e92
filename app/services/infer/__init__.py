"""Trying a trained model on an image: one warm child process that keeps the last models, and the rows of the tests."""

import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any, BinaryIO

from flask import current_app
from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.database import writing
from app.errors import Conflict, NotFound, Unavailable, Unprocessable
from app.extensions import db, socketio
from app.models import Test, Training
from app.services.duplex import ChildEnded, ChildSilent, DuplexChild
from app.services.infer.answers import ended, failure
from app.services.storage import StorageService
from app.services.trainer.present import weights

logger = logging.getLogger("yolo.inference")

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Importing torch takes 3 to 30 s on a busy machine; a 64 MP image a few seconds. Waiting behind others counts too.
START_S, ANSWER_S, QUEUE_S = 120.0, 60.0, 90.0
COPY_BYTES = 1024 * 1024


class InferenceService:
    """Runs inference in a child that is started on first use.

    `loaded_models` holds what the child has in memory: the path of the weights and their class names.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage
        self.loaded_models: dict[str, list[str]] = {}
        self._child: DuplexChild | None = None
        self._lock = threading.Lock()

    def load_model(self, model_path: str | Path) -> list[str]:
        """Have a model in memory; returns its class names.

        Raises:
            Conflict: the file is missing or no model. Unavailable: the child cannot answer now.
        """
        self._ask(do="load", path=str(model_path))
        return self.loaded_models[str(model_path)]

    def predict(
        self,
        image_path: str | Path,
        model_path: str | Path,
        conf: float = 0.5,
        iou: float = 0.5,
        output: str | Path | None = None,
    ) -> dict[str, Any]:
        """What the model finds: `detections`, `inference_time` and `total_time` in ms, `width`, `height`.

        Args:
            output: where the image with its boxes goes, as JPEG; None draws nothing.

        Raises:
            Unprocessable, TooLarge: the image. Conflict: the model. Unavailable: the child cannot answer now.
        """
        target = str(output) if output else None
        answer = self._ask(
            do="predict", image=str(image_path), model=str(model_path), conf=conf, iou=iou, output=target
        )
        del answer["models"]
        return answer

    def draw_predictions(self, image: str | Path, results: list[dict[str, Any]], output: str | Path) -> Path:
        """Draw detections on an image and write it to `output`, as JPEG.

        Raises:
            Unprocessable, TooLarge: the image. Unavailable: the child cannot answer now.
        """
        return Path(self._ask(do="draw", image=str(image), detections=results, output=str(output))["output"])

    def close(self) -> None:
        """End the child; the next question starts another."""
        with self._lock:
            if self._child is not None:
                self._child.close()
            self._child = None
            self.loaded_models = {}

    def create_test(self, file: BinaryIO, filename: str, training_id: int, conf: float, iou: float) -> Test:
        """Try a training's model on an uploaded image and keep both; nothing is left when it fails.

        Raises:
            NotFound: no such training. Conflict: it has no weights. And what `predict` raises.
        """
        training = db.session.get(Training, training_id)
        if training is None:
            raise NotFound(_("There is no training %(id)s.", id=training_id))
        if training.deleted_at is not None:
            raise Conflict(_("This training is in the trash. Restore it first."))
        model = self.weights_of(training)
        db.session.rollback()  # no transaction may be open while we wait for the child
        name = "input_image" + image_extension(filename)
        staging = self.storage.new_tmp()
        staging.mkdir(parents=True)
        try:
            copy_synced(file, staging / name)
            answer = self.predict(staging / name, model, conf, iou, staging / "annotated.jpg")
            return self._keep(staging, name, training_id, conf, iou, answer)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _keep(
        self, staging: Path, name: str, training_id: int, conf: float, iou: float, answer: dict[str, Any]
    ) -> Test:
        """Commit the row once its files are in their place."""
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
                    raise NotFound(_("There is no training %(id)s.", id=training_id))
                session.add(test)
                session.flush()
                folder = self._put(staging, test.id)
                test.image_path = str((folder / name).relative_to(self.storage.data_root))
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        logger.info("test %s: training %s, %s detections", test.id, training_id, len(answer["detections"]))
        return test

    def _put(self, staging: Path, test_id: int) -> Path:
        folder = Path(self.storage.test_dir(test_id))
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # of a server that died before its commit: SQLite gives the number again
            os.replace(folder, self.storage.new_tmp())
        os.replace(staging, folder)
        return folder

    def weights_of(self, training: Training) -> Path:
        """The training's best weights, else its last.

        Raises:
            Conflict: there are none yet.
        """
        found = weights(self.storage.get_training_dir(training.id))
        if found is not None:
            return found
        raise Conflict(
            _("Training “%(name)s” has no weights yet. Wait for its first epoch, or choose another.",
              name=training.name)
        )  # fmt: skip

    def list_tests(self, page: int, per_page: int, training_id: int | None = None) -> Pagination:
        """Tests, the newest first."""
        query = select(Test).options(joinedload(Test.training)).order_by(Test.id.desc())
        if training_id is not None:
            query = query.where(Test.training_id == training_id)
        return db.paginate(query, page=page, per_page=per_page, error_out=False)

    def get_test(self, test_id: int) -> Test:
        """One test.

        Raises:
            NotFound
        """
        test = db.session.get(Test, test_id, options=[joinedload(Test.training)])
        if test is None:
            raise NotFound(_("There is no test %(id)s.", id=test_id))
        return test

    def file_of(self, test: Test, annotated: bool) -> Path:
        """The image with its boxes, or as it was sent.

        Raises:
            NotFound: it is no longer there.
        """
        path = Path(self.storage.data_root) / (test.image_path or "")
        path = path.with_name("annotated.jpg") if annotated else path
        if not path.is_file():
            raise NotFound(_("The image of test %(id)s is no longer there.", id=test.id))
        return path

    def _ask(self, **question: Any) -> dict[str, Any]:
        """Ask the child, one question at a time; a child that died is started again, once."""
        if not self._lock.acquire(timeout=QUEUE_S):
            raise Unavailable(_("Too many images are waiting to be tested. Try again in a few seconds."))
        try:
            answer = self._exchange(question)
        finally:
            self._lock.release()
        if not answer.pop("ok"):
            raise failure(answer)
        if "models" in answer:
            self.loaded_models = answer["models"]
        return answer

    def _exchange(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._exchange_once(question)
        except ChildEnded:
            logger.info("asking a new inference process again")
        try:
            return self._exchange_once(question)
        except ChildEnded as error:
            raise ended(error.exit_code) from error

    def _exchange_once(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._warm_child().ask(question, ANSWER_S)
        except ChildEnded as error:
            self._lost(f"ended with {error.exit_code}")
            raise
        except ChildSilent as error:
            self._lost("was silent")
            raise Unavailable(_("Testing this image took too long and was given up. Try again.")) from error

    def _lost(self, how: str) -> None:
        logger.warning("the inference process %s; see inference.log", how)
        self._child = None
        self.loaded_models = {}

    def _warm_child(self) -> DuplexChild:
        if self._child is None or not self._child.alive():
            config = current_app.config
            settings = Path(config["INSTANCE_PATH"]) / "ultralytics"
            self._child = DuplexChild(
                "predict",
                settings,
                Path(config["LOG_DIR"]) / "inference.log",
                {"YOLO_CONFIG_DIR": str(settings), "CUDA_VISIBLE_DEVICES": config["CUDA_VISIBLE_DEVICES"]},
            )
            begun = self._child.ask(
                {
                    "do": "start",
                    "cache_size": config["INFERENCE_CACHE_SIZE"],
                    "max_pixels": config["MAX_IMAGE_PIXELS"],
                },
                START_S,
            )
            logger.info("inference process %s on %s", self._child.pid, begun["device"])
        return self._child


def image_extension(filename: str) -> str:
    """The extension of an image's name, in small letters.

    Raises:
        Unprocessable: it is none of EXTENSIONS.
    """
    extension = Path(filename).suffix.lower()
    if extension not in EXTENSIONS:
        message = _("Choose an image: %(extensions)s.", extensions=" ".join(EXTENSIONS))
        raise Unprocessable(message, [{"field": "file", "message": message}])
    return extension


def copy_synced(source: BinaryIO, target: Path) -> None:
    """Copy an upload to a file and sync it, with other requests served meanwhile."""
    with open(target, "xb") as file:
        while block := source.read(COPY_BYTES):
            file.write(block)
            socketio.sleep(0)
        file.flush()
        os.fsync(file.fileno())
