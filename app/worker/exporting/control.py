"""Accuracy control of INT8: if the quantized model loses too much, nncf leaves the most sensitive layers in floating
point.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.exports import CONTROL, ConversionDetails, ExportSpec, MeasureTask
from app.worker.exporting.convert import convert
from app.worker.exporting.followed import Followed
from app.worker.exporting.images import sample_split
from app.worker.exporting.measuring import measure
from app.worker.exporting.processes import task_of

if TYPE_CHECKING:
    from app.worker.programs.export_model import Course

RANKED = 10  # images for ranking the layers
MOST_LAYERS = 30  # maximum number of such layers; a model that needs more is not suitable for INT8


def has_control(spec: ExportSpec) -> bool:
    """Whether this export supports it."""
    return spec.format == "openvino" and bool(spec.arguments.get("int8"))


def restore(
    spec: ExportSpec, weights: Path, model: Path, directory: Path, course: "Course"
) -> tuple[Path, ConversionDetails]:
    """Run `convert` again, with as few layers in floating point as the accuracy on training images requires.

    Args:
        weights: a copy of the .pt.
        model: the rejected export, which is moved away.
        directory: for temporary files.
        course: notified of each image that is measured, used for calibration, or passed through a layer on trial; an
            exception ends the work.
    """
    import nncf

    lossy = directory / "lossy" / model.name
    lossy.parent.mkdir()
    os.replace(model, lossy)
    data, count = sample_split(Path(spec.data), "train", CONTROL, directory / "control")
    control = Control(task_of(spec, lossy, data), directory / "controlled", course.step)
    values: dict[str, object] = {
        "validation_dataset": nncf.Dataset(Followed(control.inputs(), course.step)),
        "validation_fn": control.figure,
        "max_drop": spec.allowed_loss / 2,  # on these images; validation images differ slightly
        "advanced_accuracy_restorer_parameters": nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=MOST_LAYERS, ranking_subset_size=RANKED
        ),
    }

    def controlled(model: Any, **options: Any) -> Any:
        return nncf.quantize_with_accuracy_control(with_names(model), **options, **values)

    with quantizing(controlled):
        exported, details = convert(spec, weights, directory, course.through)
    return exported, {**details, "accuracy_control_images": count}


def with_names(model: Any) -> Any:
    """The model with named outputs, by which nncf identifies them; traced models have none."""
    for number, output in enumerate(model.outputs):
        if not output.get_names():
            output.get_tensor().set_names({f"output{number}"})
    return model


class Control:
    """Measures the models that nncf tries, on the same images each time.

    Args:
        task: for measuring.py; its model determines the evaluation, whichever model is measured.
        folder: where ultralytics may write.
    """

    def __init__(self, task: MeasureTask, folder: Path, step: Callable[[], None]) -> None:
        self.task, self.folder, self.step = task, folder, step

    def inputs(self) -> list[Any]:
        """The model's input for each image."""
        inputs: list[Any] = []
        with compiling(lambda compiled: RecordingControl(compiled, lambda pixels, _outputs: inputs.append(pixels))):
            measure(self.task, self.folder, self.step)
        return inputs

    def figure(self, compiled: Any, items: Iterable[Any]) -> tuple[float, list[list[Any]]]:
        """mAP50-95 (for classification, the top-1 accuracy) of a compiled model, and its outputs for each image."""
        outputs: list[list[Any]] = []
        for _item in items:  # iterated, since nncf counts the items
            pass
        with compiling(lambda _default: RecordingControl(compiled, lambda _pixels, values: outputs.append(values))):
            measured = measure(self.task, self.folder, self.step)
        return float(measured["top1"] if "top1" in measured else measured["map95"]), outputs


class RecordingControl:
    """A compiled model that calls `record` with copies of its input and outputs."""

    def __init__(self, compiled: Any, record: Callable[[Any, list[Any]], None]) -> None:
        self.compiled, self.record = compiled, record

    def __getattr__(self, name: str) -> Any:
        return getattr(self.compiled, name)

    def __call__(self, pixels: Any) -> Any:
        outputs = self.compiled(pixels)
        self.record(pixels.copy(), [value.copy() for value in outputs.values()])
        return outputs


@contextmanager
def compiling(wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Wrap the models that OpenVINO compiles during the block."""
    import openvino

    usual = openvino.Core.compile_model
    openvino.Core.compile_model = lambda core, *arguments, **more: wrap(usual(core, *arguments, **more))
    try:
        yield
    finally:
        openvino.Core.compile_model = usual


@contextmanager
def quantizing(quantize: Callable[..., Any]) -> Iterator[None]:
    """Replace nncf.quantize in ultralytics' exporter during the block."""
    import nncf

    usual = nncf.quantize
    nncf.quantize = quantize
    try:
        yield
    finally:
        nncf.quantize = usual
