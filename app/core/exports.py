"""The contract between the service of model exports and the program that makes and verifies them."""

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict, cast

from app.core.curves import F1Point, MeanCurves, ModelCurves
from app.core.spec import Spec

PYTORCH = "pytorch"  # ultralytics' table has no name for its own format
OPENVINO = "openvino"
ANSWERING = {"img_size", "half"}  # arguments with which an export answers as the .pt does
RESULT_FOLDER = "made"  # folder of the files of an export, below that of its job's attempt
STEM = "model"  # of the name of each exported file or folder

EXACT, BFLOAT16 = "f32", "bf16"  # precisions, as OpenVINO calls them

IOU = 0.7  # of non-maximum suppression; ultralytics' own
NMS_CONF = 0.001  # below, a model with suppression inside finds nothing; as the .pt is measured

CALIBRATION = 300  # train images that a reliable calibration needs
MOST_CALIBRATION = 1000  # more make it slower, not better
CONTROL = 50  # train images on which the accuracy control of INT8 looks for the layers that lose most
MOST_VERIFIED = 1000  # validation images that are measured; of more, every n-th

LOST, LOST_INT8 = 0.002, 0.01  # of mAP50-95, against the .pt on the same images
BUSY = 1.25  # contention from which latencies say more about other work than about a model


class ExportOptions(TypedDict, total=False):
    """What a request can choose, beside the format and the size of the input."""

    half: bool
    int8: bool
    dynamic: bool
    nms: bool
    batch: int
    opset: int


class ExportArguments(ExportOptions):
    """The same with the size of the input, px; of a row of `model_export`."""

    img_size: int


class Latency(TypedDict):
    """Of the model alone, ms. `least`: of the quickest image; not in rows of earlier versions."""

    p50: float
    p95: float
    least: NotRequired[float]


class Figures(TypedDict):
    """What is compared; None where the task has none. `top1` and `top5` of a classification."""

    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    top1: NotRequired[float]
    top5: NotRequired[float]


class MeasureTask(TypedDict):
    """The task of the process that measures a model file.

    `data`: a dataset.yaml; `bf16`: whether it is measured in bfloat16, too; `precision`: OpenVINO's name of the one to
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
    """What it answers.

    Of a classification `top1` and `top5` in the place of precision, recall, map50 and map95. `detections`: by file,
    class, confidence and corners in px of the surest ones; `bf16`: the same in bfloat16. `contention`: how many
    times as long it took because others used the processor, too; None: the system doesn't say.
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
    """Those of the .pt."""

    latency_ms: Latency


class ShippedThreshold(F1Point):
    """`moved`: it is not that of the .pt, which is in `reference`."""

    moved: bool
    reference: F1Point


class Comparison(Figures):
    """An export beside the .pt.

    `confidence_shift`: the median change of a detection's confidence; `agreement`: the share of the .pt's detections
    that it has, too; `loss`: of mAP50-95, or of the top-1 accuracy. `busy`: other work used the processor meanwhile, so
    latencies are too high, and cannot be compared; not in rows of earlier versions.
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
    """The same as its row has it. `batch`: images that the export takes at once."""

    batch: int


class LowerPrecision(Figures):
    """An export in bfloat16, which may run in the place of the .pt on this `cpu`."""

    loss: float
    agreement: float | None
    confidence_shift: float | None
    latency_ms: Latency
    cpu: str


class RunTimes(TypedDict):
    """How long an image takes the model alone, ms, in turns with the .pt on the same images.

    `cpu`: its name. `ms`: by PYTORCH (the .pt) and the precisions that the export may run in.
    """

    cpu: str
    ms: dict[str, float]


class ConversionDetails(TypedDict, total=False):
    """Details of the conversion for the model card. Numbers of images."""

    calibration_images: int
    calibration_recommended: int
    accuracy_control_images: int


class ExportResult(ConversionDetails):
    """The result. `model`: the file or folder below RESULT_FOLDER; `sha256`: of each file, by its path there."""

    model: str
    size_bytes: int
    sha256: dict[str, str]
    names: list[str]
    parameters: int
    bfloat16: NotRequired[LowerPrecision]
    run_times: NotRequired[RunTimes | None]  # of exports that may run in the place of the .pt


class ExportDetails(ConversionDetails, total=False):
    """The result as its row has it, with what was known when it was queued.

    `versions`: of the packages; `automatic`: nobody asked for it.
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
        weights: the .pt. sha256: of it, so that weights that have changed meanwhile are not exported.
        format: as ultralytics calls it, or PYTORCH.
        data: our dataset.yaml. task: of the model.
        img_size: of the input, px.
        arguments: half, int8, dynamic, nms, batch, opset, as far as they were requested.
        classes: the dataset's class → the model's, None: objects of it are left out; None: they are the same.
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
        """Images that the model takes at once, where that is fixed."""
        return 1 if self.arguments.get("dynamic") else int(self.arguments.get("batch", 1))

    @property
    def answers_as_weights(self) -> bool:
        """Whether it may answer requests in the place of the .pt."""
        return self.format == OPENVINO and self.device == "cpu" and not set(self.arguments) - ANSWERING

    @property
    def allowed_loss(self) -> float:
        """Of mAP50-95 (of the top-1 accuracy of a classification)."""
        return LOST_INT8 if self.arguments.get("int8") else LOST


def options_of(arguments: ExportArguments) -> ExportOptions:
    """The arguments without the size of the input."""
    return cast(ExportOptions, {name: value for name, value in arguments.items() if name != "img_size"})


def evenly(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count`, spread over all of them."""
    if count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]
