"""The contract between the service of model exports and the program that makes and verifies them."""

from dataclasses import dataclass, field
from typing import Any, TypedDict

from app.core.spec import Spec

PYTORCH = "pytorch"  # ultralytics' table has no name for its own format
OPENVINO = "openvino"
ANSWERING = {"img_size", "half"}  # arguments with which an export answers as the .pt does
MADE = "made"  # folder of the files of an export, below that of its job's attempt
STEM = "model"  # of the name of each exported file or folder

EXACT, BFLOAT16 = "f32", "bf16"  # precisions, as OpenVINO calls them

IOU = 0.7  # of non-maximum suppression; ultralytics' own
NMS_CONF = 0.001  # below, a model with suppression inside finds nothing; as the .pt is measured

CALIBRATION = 300  # train images that a reliable calibration needs
MOST_CALIBRATION = 1000  # more make it slower, not better
CONTROL = 50  # train images on which the accuracy control of INT8 looks for the layers that lose most
MOST_VERIFIED = 1000  # validation images that are measured; of more, every n-th

LOST, LOST_INT8 = 0.002, 0.01  # of mAP50-95, against the .pt on the same images


@dataclass(frozen=True)
class ExportSpec(Spec):
    """What the child of an export is told, in its spec.json.

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
    arguments: dict[str, Any] = field(default_factory=dict)
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


class RunTimes(TypedDict):
    """How long an image takes the model alone, ms, in turns with the .pt on the same images.

    `cpu`: its name. `ms`: by PYTORCH (the .pt) and the precisions that the export may run in.
    """

    cpu: str
    ms: dict[str, float]


def evenly(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count`, spread over all of them."""
    if count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]
