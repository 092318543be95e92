"""Inference: loads trained models and tries them on images. `python -m app.worker.predict SOCKET`.

Reads one JSON question a line and answers each with one line: `{"ok": true, ...}` or
`{"ok": false, "code": ..., "detail": ...}`; the codes are in app/services/infer/answers.py. Ends with its socket.
"""

import json
import os
import socket
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.worker.found import detections_of
from app.worker.picture import BadPicture, draw, read, save

ModelKey = tuple[str, int, int]  # path, mtime in ns, size: an overwritten file is another model


class BadModel(Exception):
    """The weights cannot be used; `str()` says why, for the log."""


class Predictor:
    """The models in memory, the least recently used one first.

    Args:
        cache_size: how many models stay loaded.
        max_pixels: width x height of the largest image.
    """

    def __init__(self, cache_size: int, max_pixels: int) -> None:
        import torch

        self.cache_size = max(1, cache_size)
        self.max_pixels = max_pixels
        self.device = "cuda:0" if torch.cuda.is_available() else "cpu"
        self.half = self.device != "cpu"  # a CPU is slower in half precision
        self.models: OrderedDict[ModelKey, Any] = OrderedDict()

    def load(self, path: str) -> dict[str, Any]:
        """Have the model in memory; tells which models are."""
        self._model(path)
        return {"models": self._loaded()}

    def predict(
        self, image: str, model: str, conf: float, iou: float, output: str | None, floor: float | None = None
    ) -> dict[str, Any]:
        """Try the model on the image; with `output`, write the image with its boxes there.

        Returns:
            `detections`: see app/worker/found.py, those above `conf`; `weaker`: those above `floor` and not `conf`.
            `inference_time`: ms, the model alone. `total_time`: ms, from reading the image to the drawn one.
        """
        loaded = self._model(model)
        began = time.perf_counter()
        picture = read(Path(image), self.max_pixels)
        result = self._run(loaded, picture, conf if floor is None else min(conf, floor), iou)
        detections, weaker = detections_of(result, conf)
        if output:
            save(draw(picture, detections, class_order(result.names)), Path(output))
        return {
            "detections": detections,
            "weaker": weaker,
            "inference_time": round(result.speed["inference"], 2),
            "total_time": round((time.perf_counter() - began) * 1000, 2),
            "width": picture.width,
            "height": picture.height,
            "task": loaded.task,
            "models": self._loaded(),
        }

    def draw(self, image: str, detections: list[dict[str, Any]], output: str) -> dict[str, Any]:
        """Write the image with these boxes."""
        order = {name: number for number, name in enumerate(sorted({item["class"] for item in detections}))}
        save(draw(read(Path(image), self.max_pixels), detections, order), Path(output))
        return {"output": output}

    def _model(self, path: str) -> Any:
        try:
            stat = os.stat(path)
        except OSError as error:
            raise BadModel(str(error)) from error
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self.models:
            self.models = OrderedDict((old, model) for old, model in self.models.items() if old[0] != path)
            while len(self.models) >= self.cache_size:
                self.models.popitem(last=False)
            self.models[key] = self._read_model(path)
        self.models.move_to_end(key)
        return self.models[key]

    def _read_model(self, path: str) -> Any:
        from PIL import Image
        from ultralytics import YOLO

        try:
            model = YOLO(path)
            self._run(model, Image.new("RGB", (64, 64)), 0.5, 0.5)  # the first run sets up; its time is not the model's
        except MemoryError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise BadModel(f"{type(error).__name__}: {error}") from error
        return model

    def _run(self, model: Any, picture: Any, conf: float, iou: float) -> Any:
        import numpy

        array = numpy.ascontiguousarray(numpy.asarray(picture)[..., ::-1])  # ultralytics takes arrays as BGR
        options: dict[str, Any] = {"device": self.device, "save": False, "verbose": False}
        if self.half:
            options["quantize"] = 16  # half precision
        return model.predict(array, conf=conf, iou=iou, **options)[0]

    def _loaded(self) -> dict[str, list[str]]:
        return {key[0]: list(class_order(model.names)) for key, model in self.models.items()}


def class_order(names: Any) -> dict[str, int]:
    """A model's class names and their numbers."""
    return {str(name): int(number) for number, name in dict(names).items()}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the GPU or the machine, ran out."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def answer(question: dict[str, Any], actions: dict[str, Callable[..., dict[str, Any]]]) -> dict[str, Any]:
    """The answer to one question; every failure becomes a code."""
    try:
        return {"ok": True, **actions[question.pop("do")](**question)}
    except BadPicture as error:
        return {"ok": False, "code": error.code, "detail": str(error)}
    except BadModel as error:
        return {"ok": False, "code": "model", "detail": str(error)}
    except Exception as error:
        traceback.print_exc()
        if is_out_of_memory(error):
            return {"ok": False, "code": "out_of_memory", "detail": str(error)}
        if isinstance(error, OSError):
            return {"ok": False, "code": "os", "detail": str(error), "errno": error.errno}
        return {"ok": False, "code": "code", "detail": f"{type(error).__name__}: {error}"}


def main(number: int) -> None:
    """Answer until the other side closes."""
    connection = socket.socket(fileno=number)
    connection.setblocking(True)  # eventlet made it non-blocking, and that is inherited
    lines = connection.makefile("r", encoding="utf-8")
    actions: dict[str, Callable[..., dict[str, Any]]] = {}
    for line in lines:
        question = json.loads(line)
        if question["do"] == "start":
            predictor = Predictor(question["cache_size"], question["max_pixels"])
            actions = {"load": predictor.load, "predict": predictor.predict, "draw": predictor.draw}
            reply: dict[str, Any] = {"ok": True, "device": predictor.device, "half": predictor.half}
        else:
            reply = answer(question, actions)
        try:
            connection.sendall(json.dumps(reply).encode() + b"\n")
        except BrokenPipeError:  # the web process went while we worked
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
