"""Tests trained models on images: one warm child process that caches the most recent models, and the rows of
the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.predict import Inference
from app.core.shapes import Detection
from app.services.infer.child import WarmModels, WarmWorker
from app.services.infer.engines import Engines
from app.services.infer.frames import Frames
from app.services.infer.models import TestableModels
from app.services.infer.predicting import Prediction
from app.services.infer.saved_tests import Tests
from app.services.infer.serving import ModelPredictions
from app.services.infer.videos import VideoConverter
from app.services.storage import StorageService

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.exports import ModelExports
    from app.services.trainer import TrainingService


@dataclass(frozen=True)
class InferenceService:
    """Runs inference in a child that is started on first use: the specification's methods, and the objects that
    implement them; see `create_inference_service`.
    """

    warm: WarmModels
    models: TestableModels
    prediction: Prediction
    tests: Tests
    frames: Frames
    serving: ModelPredictions
    videos: VideoConverter

    @property
    def loaded_models(self) -> dict[str, list[str]]:
        """The models in memory: the path of the weights and their class names."""
        return self.warm.loaded_models

    def load_model(self, model_path: str | Path) -> list[str]:
        """Load a model into memory; returns its class names.

        Raises:
            Conflict: the file is missing or not a model.
            Unavailable: the child does not answer.
        """
        self.warm.ask(do="load", path=str(model_path))
        return self.loaded_models[str(model_path)]

    def predict(
        self, image_path: str | Path, model_path: str | Path, conf: float = 0.5, iou: float = 0.5, **more: Any
    ) -> Inference:
        """A model's detections in an image; see `Prediction.predict`."""
        return self.prediction.predict(image_path, model_path, conf, iou, **more)

    def draw_predictions(self, image: str | Path, results: Sequence[Detection], output: str | Path) -> Path:
        """Draw detections on an image and write it to `output` as JPEG.

        Raises:
            Unprocessable: invalid image.
            TooLarge: the image is too large.
            Unavailable: the child does not answer.
        """
        return Path(self.warm.ask(do="draw", image=str(image), detections=results, output=str(output))["output"])


def create_inference_service(
    storage: StorageService, trainer: "TrainingService", jobs: "JobService", exports: "ModelExports"
) -> InferenceService:
    """Build the service with its collaborators.

    Args:
        storage: of the tests' folders.
        trainer: has the trainings and their weights.
        jobs: runs the warm worker.
        exports: of models, which may run in their stead.
    """
    warm, models = WarmModels(WarmWorker(jobs)), TestableModels(trainer.files, trainer.presenter)
    prediction, engines = Prediction(warm), Engines(exports)
    return InferenceService(
        warm=warm,
        models=models,
        prediction=prediction,
        tests=Tests(storage, models, prediction, engines),
        frames=Frames(storage, models, prediction, engines),
        serving=ModelPredictions(storage, models, prediction, engines),
        videos=VideoConverter(storage),
    )
