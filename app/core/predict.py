"""The contract between the service that tests models and its program."""

from dataclasses import dataclass
from typing import TypedDict

from app.core.shapes import Detection
from app.core.spec import Spec

AT_ONCE = 16  # concurrent requests


@dataclass(frozen=True)
class PredictSpec(Spec):
    """The task of the program.

    Args:
        cache_size: the number of models that stay loaded.
        max_pixels: width x height of the largest image.
        decode_seconds: CPU time for decoding an image.
    """

    cache_size: int
    max_pixels: int
    decode_seconds: float


class EngineExport(TypedDict):
    """An export that may run instead of the weights.

    `folder` of the model; `files`: SHA-256 by name; `task` and `img_size` (px) of its input; `precision` that it was
    verified in, by OpenVINO's name.
    """

    folder: str
    files: dict[str, str]
    task: str
    img_size: int
    precision: str


class RunsOn(TypedDict):
    """The device of the models, and whether in half precision."""

    device: str
    half: bool


class PredictResult(TypedDict):
    """The program's result: how many requests it answered."""

    answered: int


class WorkerAnswer(TypedDict, total=False):
    """The program's answer to any request, as far as its service reads it.

    `ok`: success; otherwise `code` and `detail` have the reason, and `errno` the system's. The answer to `predict` is
    an `Inference`; `models`: the class names of each loaded model, by path; `output`: of `draw`, the image.
    """

    ok: bool
    code: str
    detail: str
    errno: int
    models: dict[str, list[str]]
    output: str


class InferenceRun(TypedDict):
    """How a model was run.

    `fallback`: why the export was not used; `batch`: images that ran together; `speed`: ms of each step; `names` of the
    classes in order; `models`: the class names of each loaded model, by path.
    """

    task: str
    engine: str
    device: str
    half: bool
    precision: str
    fallback: str | None
    batch: int
    speed: dict[str, float]
    names: list[str]
    models: dict[str, list[str]]


class Inference(InferenceRun):
    """Detections in an image of `width` x `height` pixels. `weaker`: below the confidence and above the floor.
    `inference_time`: ms, the model alone; `total_time`: ms, with reading and drawing, without loading the model.
    """

    detections: list[Detection]
    weaker: list[Detection]
    inference_time: float
    total_time: float
    width: int
    height: int
