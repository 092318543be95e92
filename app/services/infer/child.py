"""The warm child that runs the models: started on first use, asked one question at a time, started again if it dies."""

import logging
import threading
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from app.errors import Unavailable
from app.jobs.duplex import ChildEnded, ChildSilent, DuplexChild
from app.services.infer.answers import ended, failure
from app.services.storage import StorageService

logger = logging.getLogger("yolo.inference")

# Importing torch takes 3 to 30 s on a busy machine; a 64 MP image a few seconds. Waiting behind others counts too.
START_S, ANSWER_S, QUEUE_S = 120.0, 60.0, 90.0


class WarmChild:
    """Asks `python -m app.worker.predict`.

    `loaded_models` holds what the child has in memory: the path of the weights and their class names.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage
        self.loaded_models: dict[str, list[str]] = {}
        self._child: DuplexChild | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the child; the next question starts another."""
        with self._lock:
            if self._child is not None:
                self._child.close()
            self._child = None
            self.loaded_models = {}

    def _ask(self, **question: Any) -> dict[str, Any]:
        """Ask the child, one question at a time; a child that died is started again, once."""
        if not self._lock.acquire(timeout=QUEUE_S):
            raise Unavailable(_("The test queue is full. Try again in a few seconds."))
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
            raise Unavailable(_("Testing this image took too long and was stopped. Try again.")) from error

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
            precision = "half" if begun["half"] else "single"
            logger.info("inference process %s on %s in %s precision", self._child.pid, begun["device"], precision)
        return self._child
