"""README.md of an export's ZIP: it agrees with the rows."""

from pathlib import Path
from typing import Any

import pytest

from app.core.exports import PYTORCH
from app.models import Checkpoint, Dataset, ModelExport, Training
from app.services.exports.formats import packages_used
from app.services.exports.package import Package

FORMATS = (PYTORCH, "torchscript", "onnx", "openvino")
FIGURES = {"precision": 0.9, "recall": 0.8, "map50": 0.9, "map95": 0.7, "latency_ms": {"p50": 4.0, "p95": 5.0}}


def card(form: str = "onnx", **more: Any) -> str:
    return package(form, **more).card()


def package(
    form: str = "onnx",
    task: str = "detect",
    images: int = 1,
    start: dict[str, Any] | None = None,
    versions: dict[str, str] | None = None,
    chosen: dict[str, Any] | None = None,
    **more: Any,
) -> Package:
    """Of a run of one epoch on one class, whose batch size was reduced."""
    best = Checkpoint(id=1, epoch=1, model_path="best.pt", is_best=True, metrics={"map95": 0.7123})
    training = Training(id=7, name="Run", dataset=Dataset(name="Fruit", classes=["apple"]), task=task, params={})
    values = {
        "start": start or {},
        "model_version": "n",
        "batch_size": 16,
        "batch_now": 8,
        "img_size": 64,
        "current_epoch": 1,
        "thresholds": chosen,
    }
    for name, value in values.items():
        setattr(training, name, value)
    training.checkpoints = [best]
    verification = FIGURES | {"images": images, "device": "cpu", "reference": FIGURES} | more
    row = ModelExport(format=form, arguments={"img_size": 64}, weights_sha256="0" * 64, verification=verification)
    row.details, row.thresholds = {"model": "model.onnx", "calibration_images": 1, "versions": versions}, []
    return Package(row, training, Path())


def test_latencies_of_a_busy_moment_say_so() -> None:
    assert "Other work used the CPU during the measurement" in card(busy=True)
    assert "Other work" not in card(busy=False)
    assert "Other work" not in card(), "nothing is known of an export of an earlier version"


def test_one_of_each_is_singular() -> None:
    text = card()
    assert "detect, 1 class |" in text
    assert "1 epoch, the best one 1; batch 16, reduced to 8; 64 px; run 7" in text
    assert "Measured on 1 validation image with the runtime itself, in a process of its own, on the CPU." in text
    assert "calibrated with 1 training image, none" in text
    assert "Measured on 60 validation images" in card(images=60)
    assert "on GPU 0." in card(device="0")


def test_it_explains_why_the_pt_differs_from_the_page_of_the_run() -> None:
    text = card()
    assert "Each image was measured alone, letterboxed with gray (114) to 64 × 64 px, as this file is used." in text
    assert "The metrics of the run (mAP50-95: 0.7123) come from batches padded as `yolo val` does it" in text
    assert "measured alone" not in card(task="classify"), "its images are always of one size"


def test_of_uploaded_weights_it_knows_no_training() -> None:
    text = card(start={"kind": "uploaded", "file": "mine.pt"})
    assert "Weights that were uploaded, for onnxruntime." in text
    assert "| Training | elsewhere; uploaded as mine.pt, run 7 |" in text
    assert "| Training parameters | unknown |" in text
    assert "measured alone" in text
    assert "metrics of the run" not in text
    assert "| Training parameters | default |" in card()


def test_the_pt_itself_was_measured_by_ultralytics() -> None:
    assert "with ultralytics, on the CPU" in card(PYTORCH)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("detect", "`thresholds.json` has the confidence threshold that the example uses, 0.25."),
        ("classify", "is 0: the example prints the most likely classes, however unlikely."),
    ],
)
def test_it_mentions_no_missing_thresholds(task: str, expected: str) -> None:
    text = card(task=task)
    assert expected in text
    assert "and others" not in text


SHIPPED = {"confidence": 0.3, "precision": 0.9, "recall": 0.8, "moved": False, "reference": {"confidence": 0.5}}


@pytest.mark.parametrize(
    ("task", "chosen", "moved", "used", "expected"),
    [
        ("detect", 0.62, False, 0.62, "what was chosen for this model: the confidence threshold 0.62."),
        ("detect", 0.62, True, 0.3, "the confidence threshold 0.62, which holds for the .pt: here confidences moved."),
        ("detect", None, False, 0.3, "that the example uses, 0.3."),
        ("classify", 0.62, False, 0.3, "is 0: the example prints"),
    ],
)
def test_what_was_chosen_for_the_model_goes_with_it(
    task: str, chosen: float | None, moved: bool, used: float, expected: str
) -> None:
    values = {"confidence": chosen, "iou": 0.6, "classes": {"apple": 0.7}}
    export = package(task=task, chosen=values, at_threshold=SHIPPED | {"moved": moved})
    thresholds = export.thresholds()
    assert (thresholds["confidence"], thresholds["chosen"], thresholds["moved"]) == (used, values, moved)
    assert expected in export.card()
    assert "chosen" not in package().thresholds()


def test_it_names_only_the_tools_in_use() -> None:
    """Earlier, a card of an ONNX file named OpenVINO and nncf, which were installed."""
    versions = dict.fromkeys(("ultralytics", "torch", "onnx", "onnxruntime", "openvino", "nncf", "python"), "1.0")
    names = {
        (form, int8): set(packages_used(form, {"int8": int8}, versions)) for form in FORMATS for int8 in (True, False)
    }
    common = {"ultralytics", "torch", "python"}
    assert names["torchscript", False] == names[PYTORCH, False] == common
    assert names["onnx", False] == names["onnx", True] == common | {"onnx", "onnxruntime"}
    assert names["openvino", False] == common | {"openvino"}
    assert names["openvino", True] == common | {"openvino", "nncf"}
    tools = "ultralytics 1.0, torch 1.0, onnx 1.0, onnxruntime 1.0, python 1.0"
    assert f"| Made with | {tools}; YOLO" in card(versions=versions)
