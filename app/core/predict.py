"""The contract between the service that tests models and its program."""

from dataclasses import dataclass
from typing import TypedDict

from app.core.shapes import Detection
from app.core.spec import Spec

AT_ONCE = 16  # questions that the program answers at the same time


@dataclass(frozen=True)
class PredictSpec(Spec):
    """How the program works.

    Args:
        cache_size: how many models stay loaded.
        max_pixels: width x height of the largest image.
        decode_seconds: of processor time for the decoding of an image.
    """

    cache_size: int
    max_pixels: int
    decode_seconds: float


class EngineExport(TypedDict):
    """An export that may run in the place of the weights.

    `folder` of the model; `files`: SHA-256 by the name of each; `task` and `img_size` (px) of its input; `precision`
    that it was verified in, as OpenVINO calls it.
    """

    folder: str
    files: dict[str, str]
    task: str
    img_size: int
    precision: str


class RunsOn(TypedDict):
    """Where models run, and whether in half precision."""

    device: str
    half: bool


class PredictResult(TypedDict):
    """What the program ends with: how many questions it answered."""

    answered: int


class WorkerAnswer(TypedDict, total=False):
    """The program's answer to any question, as far as its service reads it.

    `ok`: whether it was done, else `code` and `detail` say why not, and `errno` of the system. The answer to `predict`
    is an `Inference`; `models`: the class names of each that is loaded, by path; `output`: of `draw`, the image.
    """

    ok: bool
    code: str
    detail: str
    errno: int
    models: dict[str, list[str]]
    output: str


class InferenceRun(TypedDict):
    """What ran a model, and how.

    `fallback`: why it was not the export; `batch`: images that ran together; `speed`: ms of each part; `names` of the
    classes in their order; `models`: the class names of each that is loaded, by path.
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
    """What was found in an image of `width` x `height` pixels. `weaker`: below the confidence and above the floor.
    `inference_time`: ms, the model alone; `total_time`: ms, with reading and drawing, without loading the model.
    """

    detections: list[Detection]
    weaker: list[Detection]
    inference_time: float
    total_time: float
    width: int
    height: int
