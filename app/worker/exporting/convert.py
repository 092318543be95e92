"""Creates the model file of another runtime with ultralytics' exporter."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.exports import (
    CALIBRATION,
    IOU,
    MOST_CALIBRATION,
    NMS_CONF,
    PYTORCH,
    RESULT_FOLDER,
    ConversionDetails,
    ExportSpec,
)
from app.core.train import UltralyticsArguments
from app.worker.exporting.images import sample_split
from app.worker.exporting.portable import shorten_data, without_debug
from app.worker.loading import loading

PASSED_ON = ("dynamic", "nms", "batch", "opset")


def convert(
    spec: ExportSpec, weights: Path, directory: Path, through: Callable[[Any], Any] = lambda batches: batches
) -> tuple[Path, ConversionDetails]:
    """The exported file or folder, below `directory`/MADE, and details of the conversion.

    Args:
        weights: a copy, named STEM.pt, since ultralytics writes beside it under its name.
        through: wraps the batches of an INT8 calibration.

    Raises:
        Exception: the exporter failed; it does not install missing packages.
    """
    output_folder = directory / RESULT_FOLDER
    shutil.rmtree(output_folder, ignore_errors=True)
    output_folder.mkdir(parents=True)
    if spec.format == PYTORCH:
        target = output_folder / weights.name
        shutil.copyfile(weights, target)
        return target, {}
    from ultralytics import YOLO

    overrides, details = arguments(spec, directory)
    with loading(weights):
        model = YOLO(str(weights), task=spec.task)
    shorten_data(model.model)
    with calibrating(through):
        output = Path(model.export(**overrides))
    if spec.format == "torchscript":
        without_debug(output)
    target = output_folder / output.name
    output.rename(target)
    return target, details


def arguments(spec: ExportSpec, directory: Path) -> tuple[UltralyticsArguments, ConversionDetails]:
    """The exporter's arguments, and details for the model card."""
    from importlib.util import find_spec

    options = spec.arguments
    values: UltralyticsArguments = {
        "format": spec.format,
        "imgsz": spec.img_size,
        "device": spec.device,
        "verbose": False,
    }
    values |= {name: value for name, value in options.items() if name in PASSED_ON and value}
    if spec.format == "onnx" and find_spec("onnxslim") is None:
        values["simplify"] = False
    if options.get("nms"):  # detections that built-in NMS drops are lost at any threshold; ultralytics' default is 0.25
        values |= {"conf": NMS_CONF, "iou": IOU}
    details: ConversionDetails = {}
    if options.get("half"):
        values["quantize"] = 16
    if options.get("int8"):
        data, count = sample_split(Path(spec.data), "train", MOST_CALIBRATION, directory / "calibration")
        chosen = data.parent / "images" if spec.task == "classify" else data
        # `split`: by default, ultralytics calibrates on the validation images, which are used for verification. The
        # path is relative to our working directory, since the exporter writes it into the model.
        values |= {"quantize": 8, "data": os.path.relpath(chosen), "split": "train"}
        details = {"calibration_images": count, "calibration_recommended": CALIBRATION}
    return values, details


@contextmanager
def calibrating(through: Callable[[Any], Any]) -> Iterator[None]:
    """Route the exporter's calibration data through a function."""
    from ultralytics.engine.exporter import Exporter

    usual = Exporter.get_int8_calibration_dataloader
    Exporter.get_int8_calibration_dataloader = lambda *arguments, **more: through(usual(*arguments, **more))  # type: ignore[method-assign]
    try:
        yield
    finally:
        Exporter.get_int8_calibration_dataloader = usual  # type: ignore[method-assign]
