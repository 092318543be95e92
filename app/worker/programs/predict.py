"""Detects objects in images: the warm worker, which has trained models loaded.

spec.json: see `PredictSpec`, and `socket`, a descriptor. Reads one JSON request per line, each with an `id`, and
answers each with one line, in order of completion: `{"id": ..., "ok": true, ...}` or `{"id": ..., "ok": false, "code":
..., "detail": ...}`, with a code of app/services/infer/answers.py. Ends when its socket closes.

Each request is decoded and answered in its own thread; models run in another one, see app/worker/serving.
"""

import json
import os
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.files import sync_file
from app.core.json_object import JsonObject
from app.core.predict import AT_ONCE, EngineExport, Inference, InferenceRun, PredictResult, PredictSpec
from app.core.shapes import Detection
from app.worker.channel import Channel
from app.worker.detections import detections_of
from app.worker.failures import StopRequested, kind_of
from app.worker.picture import BadPicture, draw, save
from app.worker.serving.batches import Batcher, PredictionOutcome
from app.worker.serving.engines import BadModel, Export
from app.worker.serving.lanes import Lanes
from app.worker.serving.models import Models

POLL_S = 0.5  # between two checks for a stop request
DECODERS = min(4, len(os.sched_getaffinity(0)))

Answer = Mapping[str, object]


class Predictor:
    """Answers requests; thread-safe.

    Args:
        spec: what the program is told.
        lanes: created before torch was loaded.
    """

    def __init__(self, spec: PredictSpec, lanes: Lanes) -> None:
        self.lanes = lanes
        import torch

        self.models = Models(spec.cache_size, "cuda:0" if torch.cuda.is_available() else "cpu")
        self.batcher = Batcher(self.models)
        self.syncing = ThreadPoolExecutor(DECODERS, "sync")

    def about(self) -> Answer:
        """The device, and whether models run in half precision."""
        return self.models.about()

    def load(self, path: str) -> Answer:
        """Load the model; returns the loaded models."""
        return {"models": self.batcher.load(path)}

    def predict(
        self,
        image: str,
        model: str,
        conf: float,
        iou: float,
        output: str | None,
        floor: float | None = None,
        export: EngineExport | None = None,
        sync: bool = False,
    ) -> Inference:
        """Run the model on the image; with `output`, write the image with its boxes there.

        Args:
            export: of these weights, see `Export`: runs in their stead, on a CPU and if it is usable.
            sync: sync the image's file to the disk, in parallel with the model.

        Returns:
            `detections`: those above `conf` (app/worker/detections.py); `weaker`: those above `floor` and not `conf`.
            `inference_time`: ms, the model alone. `total_time`: ms, from reading the image to the drawn one, without
            the loading of the model. `speed`: ms of each part. `engine`, `device`, `half`, `precision`: what ran.
            `fallback`: why it was not the export, see `BadExport`.
        """
        began = time.perf_counter()
        synced = self.syncing.submit(sync_file, Path(image)) if sync else None
        with self.lanes.picture(Path(image), self.batcher.coming) as picture:
            array = bgr(picture)
            least = conf if floor is None else min(conf, floor)
            outcome = self.batcher.run(model, Export(**export) if export else None, array, least, iou)
            detections, weaker = detections_of(outcome.result, conf)
            if output:
                save(draw(picture, detections, class_order(outcome)), Path(output))
        if synced is not None:
            synced.result()
        total = time.perf_counter() - began - outcome.loading_s
        return {
            "detections": detections,
            "weaker": weaker,
            "inference_time": round(outcome.result.speed["inference"], 2),
            "total_time": round(total * 1000, 2),
            "width": picture.width,
            "height": picture.height,
            **self.about_run(outcome),
        }

    def about_run(self, outcome: PredictionOutcome) -> InferenceRun:
        """The engine, device and timing of a prediction."""
        return {
            "task": outcome.engine.task,
            "engine": outcome.engine.name,
            "device": outcome.engine.device,
            "half": outcome.engine.half,
            "precision": outcome.engine.precision,
            "fallback": outcome.fallback,
            "batch": outcome.batch,
            "speed": {name: round(value, 2) for name, value in outcome.result.speed.items()},
            "names": list(outcome.engine.names.values()),
            "models": outcome.models,
        }

    def draw(self, image: str, detections: list[Detection], output: str) -> Answer:
        """Write the image with these boxes."""
        order = {name: number for number, name in enumerate(sorted({item["class"] for item in detections}))}
        with self.lanes.picture(Path(image)) as picture:
            save(draw(picture, detections, order), Path(output))
        return {"output": output}


def bgr(picture: Any) -> Any:
    """The pixels in ultralytics' order."""
    import cv2
    import numpy

    return cv2.cvtColor(numpy.asarray(picture), cv2.COLOR_RGB2BGR)


def class_order(outcome: PredictionOutcome) -> dict[str, int]:
    """A model's class names and their numbers."""
    return {name: number for number, name in outcome.engine.names.items()}


def answer(question: JsonObject, actions: dict[str, Callable[..., Answer]]) -> Answer:
    """The answer to one request; every error becomes a code."""
    try:
        return {"ok": True, **actions[str(question.pop("do"))](**question)}
    except BadPicture as error:
        return {"ok": False, "code": error.code, "detail": str(error)}
    except BadModel as error:
        return {"ok": False, "code": "model", "detail": str(error)}
    except Exception as error:
        traceback.print_exc()
        if kind_of(error) == "out_of_memory":
            return {"ok": False, "code": "out_of_memory", "detail": str(error)}
        if isinstance(error, OSError):
            return {"ok": False, "code": "os", "detail": str(error), "errno": error.errno}
        return {"ok": False, "code": "code", "detail": f"{type(error).__name__}: {error}"}


def run(channel: Channel) -> PredictResult:
    """Answer until the other side closes; the number of answered requests.

    Raises:
        StopRequested: a stop was requested; earlier requests are answered.
    """
    spec = PredictSpec.of(channel.spec)
    lanes = Lanes(spec.max_pixels, spec.decode_seconds, DECODERS)  # before torch is loaded
    predictor = Predictor(spec, lanes)
    actions: dict[str, Callable[..., Answer]] = {
        "start": predictor.about,
        "load": predictor.load,
        "predict": predictor.predict,
        "draw": predictor.draw,
    }
    answered = 0
    with ThreadPoolExecutor(AT_ONCE, "question") as threads:
        for question in Questions(channel):
            threads.submit(question.reply, actions)
            answered += 1
    return {"answered": answered}


class Questions:
    """The requests from the socket of `spec.json`, in order.

    Raises:
        StopRequested: a stop was requested.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        descriptor = channel.spec["socket"]
        if not isinstance(descriptor, int):
            raise TypeError("the spec has no socket")
        self.connection = socket.socket(fileno=descriptor)
        self.connection.setblocking(True)  # undo eventlet's non-blocking mode, which is inherited
        self.coming = select.poll()  # not select(): it does not support descriptors above 1023
        self.coming.register(self.connection, select.POLLIN)
        self.sending, self.checked_at = threading.Lock(), time.monotonic()
        self.rest = b""

    def __iter__(self) -> Iterator["Question"]:
        while line := self.line():
            yield Question(self, json.loads(line))

    def line(self) -> bytes:
        """The next line; empty once the connection is closed."""
        while b"\n" not in self.rest:
            there = self.coming.poll(POLL_S * 1000)
            self.check_stop()
            if not there:
                continue
            try:
                part = self.connection.recv(65536)
            except ConnectionError:
                return b""
            if not part:
                return b""
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def check_stop(self) -> None:
        """Check for a stop request periodically."""
        if time.monotonic() - self.checked_at >= POLL_S:
            self.checked_at = time.monotonic()
            if self.channel.stop_requested():
                raise StopRequested

    def send(self, line: bytes) -> None:
        with self.sending:
            try:
                self.connection.sendall(line)
            except ConnectionError:  # the web process has ended; the next poll ends the program
                return


@dataclass(frozen=True)
class Question:
    """A request that waits for its answer."""

    source: Questions
    body: JsonObject

    def reply(self, actions: dict[str, Callable[..., Answer]]) -> None:
        """Always send one answer: otherwise the request would time out, and the other ones with it."""
        number = self.body.pop("id")
        try:
            line = json.dumps({"id": number, **answer(self.body, actions)})
        except BaseException as error:
            traceback.print_exc()
            detail = f"{type(error).__name__}: {error}"
            line = json.dumps({"id": number, "ok": False, "code": "code", "detail": detail})
        self.source.send(line.encode() + b"\n")
