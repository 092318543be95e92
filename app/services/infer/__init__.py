"""Trying a trained model on an image: one warm child process that keeps the last models, and the rows of the tests."""

from pathlib import Path
from typing import Any

from app.services.infer.frames import Frames
from app.services.infer.tried import Tests
from app.services.infer.videos import VideoConverter
from app.services.storage import StorageService


class InferenceService(Tests, Frames):
    """Runs inference in a child that is started on first use."""

    def __init__(self, storage: StorageService) -> None:
        super().__init__(storage)
        self.videos = VideoConverter(storage)

    def load_model(self, model_path: str | Path) -> list[str]:
        """Have a model in memory; returns its class names.

        Raises:
            Conflict: the file is missing or no model. Unavailable: the child cannot answer now.
        """
        self._ask(do="load", path=str(model_path))
        return self.loaded_models[str(model_path)]

    def draw_predictions(self, image: str | Path, results: list[dict[str, Any]], output: str | Path) -> Path:
        """Draw detections on an image and write it to `output`, as JPEG.

        Raises:
            Unprocessable, TooLarge: the image. Unavailable: the child cannot answer now.
        """
        return Path(self._ask(do="draw", image=str(image), detections=results, output=str(output))["output"])
