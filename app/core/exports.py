"""The contract between the service of model exports and the program that builds and verifies them."""

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict, cast

from app.core.curves import F1Point, MeanCurves, ModelCurves
from app.core.spec import Spec

PYTORCH = "pytorch"  # ultralytics' table has no name for its own format
OPENVINO = "openvino"
ANSWERING = {"img_size", "half"}  # options with which an export can serve requests instead of the .pt
RESULT_FOLDER = "made"  # folder of an export's files, below that of its attempt
STEM = "model"  # of each exported file or folder's name

EXACT, BFLOAT16 = "f32", "bf16"  # precisions, by OpenVINO's names

IOU = 0.7  # of non-maximum suppression; ultralytics' default
NMS_CONF = 0.001  # confidence below which a model with built-in NMS drops detections; the same as for the .pt

CALIBRATION = 300  # train images for a reliable calibration
MOST_CALIBRATION = 1000  # more images make it slower, not better
CONTROL = 50  # train images on which INT8's accuracy control looks for the layers with the largest loss
MOST_VERIFIED = 1000  # validation images used; of more, an even selection

LOST, LOST_INT8 = 0.002, 0.01  # accepted loss of mAP50-95 against the .pt on the same images
BUSY = 1.25  # contention above which latencies are not comparable


class ExportOptions(TypedDict, total=False):
    """The options of a request, besides the format and the input size."""

    half: bool
    int8: bool
    dynamic: bool
    nms: bool
    batch: int
    opset: int


class ExportArguments(ExportOptions):
    """The options with the input size, px; in a row of `model_export`."""

    img_size: int


class Latency(TypedDict):
    """Latency of the model alone, ms. `least`: of the fastest image; missing in rows of earlier versions."""

    p50: float
    p95: float
    least: NotRequired[float]


class Figures(TypedDict):
    """The compared metrics; None if the task lacks one. `top1` and `top5`: of classification."""

    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    top1: NotRequired[float]
    top5: NotRequired[float]


class MeasureTask(TypedDict):
    """The task of the process that measures a model file.

    `data`: a dataset.yaml; `bf16`: whether to measure in bfloat16 too; `precision`: OpenVINO's name of the one to
    measure in.
    """

    model: str
    data: str
    task: str
    img_size: int
    device: str
    classes: dict[str, str | None] | None
    bf16: bool
    precision: NotRequired[str]


class Measurement(TypedDict):
    """The result of that process.

    For classification, `top1` and `top5` instead of precision, recall, map50 and map95. `detections`: by file, class,
    confidence and corners in px of the most confident ones; `bf16`: the same in bfloat16. `contention`: slowdown by
    other processes on the CPU, as a factor; None: unknown to the system.
    """

    precision: NotRequired[float]
    recall: NotRequired[float]
    map50: NotRequired[float]
    map95: NotRequired[float]
    top1: NotRequired[float]
    top5: NotRequired[float]
    fitness: NotRequired[float]
    images: int
    names: list[str]
    curves: ModelCurves | None
    latency_ms: Latency
    contention: NotRequired[float | None]
    detections: dict[str, list[list[float]]]
    device: str
    bf16: NotRequired["Measurement"]


class ReferenceFigures(Figures):
    """The metrics of the .pt."""

    latency_ms: Latency


class ShippedThreshold(F1Point):
    """`moved`: it differs from that of the .pt, which is `reference`."""

    moved: bool
    reference: F1Point


class Comparison(Figures):
    """An export compared with the .pt.

    `confidence_shift`: the median change of a detection's confidence; `agreement`: the share of the .pt's detections
    that the export has too; `loss`: of mAP50-95, or of the top-1 accuracy. `busy`: other processes used the CPU
    meanwhile, so latencies are too high to compare; missing in rows of earlier versions.
    """

    reference: ReferenceFigures
    images: int
    at_threshold: ShippedThreshold | None
    confidence_shift: float | None
    agreement: float | None
    latency_ms: Latency
    device: str
    loss: float
    allowed_loss: float
    conclusive: bool
    busy: NotRequired[bool]


class Verification(Comparison):
    """The comparison as in the row. `batch`: images per call of the export."""

    batch: int


class LowerPrecision(Figures):
    """An export in bfloat16, which may serve requests instead of the .pt on this `cpu`."""

    loss: float
    agreement: float | None
    confidence_shift: float | None
    latency_ms: Latency
    cpu: str


class RunTimes(TypedDict):
    """Latency of the model alone, ms per image, alternating with the .pt on the same images.

    `cpu`: its name. `ms`: by PYTORCH (the .pt) and the precisions that the export may serve in.
    """

    cpu: str
    ms: dict[str, float]


class ConversionDetails(TypedDict, total=False):
    """Details of the conversion for the model card. Numbers of images."""

    calibration_images: int
    calibration_recommended: int
    accuracy_control_images: int


class ExportResult(ConversionDetails):
    """The program's result. `model`: the file or folder below RESULT_FOLDER; `sha256`: of each file, by its
    path there.
    """

    model: str
    size_bytes: int
    sha256: dict[str, str]
    names: list[str]
    parameters: int
    bfloat16: NotRequired[LowerPrecision]
    run_times: NotRequired[RunTimes | None]  # of exports that may serve requests


class ExportDetails(ConversionDetails, total=False):
    """The result in the row, with what was known when the export was queued.

    `versions`: of the packages; `automatic`: not requested by a user.
    """

    model: str
    size_bytes: int
    sha256: dict[str, str]
    names: list[str]
    parameters: int
    bfloat16: LowerPrecision
    run_times: RunTimes | None
    versions: dict[str, str]
    automatic: bool


class ExportCurves(MeanCurves):
    """The stored curves of an export."""

    f1: list[float]
    best: F1Point


@dataclass(frozen=True)
class ExportSpec(Spec):
    """The task of an export's child, in its spec.json.

    Args:
        weights: the .pt. sha256: its hash: weights that have changed meanwhile are not exported.
        format: ultralytics' name, or PYTORCH.
        data: our dataset.yaml. task: of the model.
        img_size: of the input, px.
        arguments: half, int8, dynamic, nms, batch, opset, if requested.
        classes: the dataset's class → the model's, None: its objects are excluded; None: they are the same.
    """

    weights: str
    sha256: str
    format: str
    data: str
    task: str
    img_size: int
    arguments: ExportOptions = field(default_factory=ExportOptions)
    device: str = "cpu"
    classes: dict[str, str | None] | None = None

    @property
    def batch(self) -> int:
        """Images per call, if the export fixes that."""
        return 1 if self.arguments.get("dynamic") else int(self.arguments.get("batch", 1))

    @property
    def answers_as_weights(self) -> bool:
        """Whether the export may serve requests instead of the .pt."""
        return self.format == OPENVINO and self.device == "cpu" and not set(self.arguments) - ANSWERING

    @property
    def allowed_loss(self) -> float:
        """The accepted loss of mAP50-95, or of a classification's top-1 accuracy."""
        return LOST_INT8 if self.arguments.get("int8") else LOST


def options_of(arguments: ExportArguments) -> ExportOptions:
    """The arguments without the input size."""
    return cast(ExportOptions, {name: value for name, value in arguments.items() if name != "img_size"})


def evenly(count: int, most: int) -> list[int]:
    """Indexes of at most `most` of `count` items, evenly spaced."""
    if count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]
