"""Packs the ZIP of an export: the model, and what its users need to run and judge it."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from app import __version__
from app.core.exports import CALIBRATION, IOU, PYTORCH
from app.core.thresholds import ModelThresholds, Threshold
from app.jobs.devices import CPU
from app.models import ModelExport, Training
from app.services.exports import examples
from app.services.exports.formats import formats, packages_used
from app.services.trainer.bundle import harmless, pack

LEAST = 0.25  # for a model without a recommended threshold; ultralytics' default

CARD = """# {name}: {label}

{what}

| | |
| --- | --- |
| Model | {architecture}, {task}, {classes}{parameters} |
| Weights | `{sha256}` (SHA-256 of the .pt) |
| Dataset | {dataset}, version `{revision}` |
| Training | {trained} |
| Training parameters | {params} |
| Input | {inputs} in NCHW order, values 0 to 1, {size} × {size} px, {fit} |
| Options | {options} |
| Made with | {versions}; YOLO Training Platform {version} |
| License | AGPL-3.0, as all models trained with ultralytics, unless you have an ultralytics enterprise license |

## Verification

Measured on {images} with {how}, on {device}. The .pt was measured on the same images.{alone}

| | this file | .pt |
| --- | --- | --- |
{figures}

{busy}{threshold}

## Use

    pip install {needs}
    python example.py photo.jpg

`names.json` has the class names in the order of the model's outputs. {thresholds} {notes}
"""
BUSY_NOTE = (
    "Other work used the CPU during the measurement: the latencies are too high, and can't be compared with each "
    "other.\n\n"
)
Measure = Literal["precision", "recall", "map50", "map95", "top1", "top5"]
LABELS: dict[Measure, str] = {
    "precision": "Precision",
    "recall": "Recall",
    "map50": "mAP50",
    "map95": "mAP50-95",
    "top1": "Top-1 accuracy",
    "top5": "Top-5 accuracy",
}


class ThresholdsFile(TypedDict):
    """thresholds.json. `moved`: the threshold differs from that of the .pt; `chosen`: all thresholds chosen for the
    .pt.
    """

    confidence: float
    iou: float
    moved: bool
    thresholds: list[Threshold]
    chosen: NotRequired[ModelThresholds]


class Package:
    """The files of a ZIP.

    Args:
        row: a completed export.
        folder: of its files.

    Raises:
        ValueError: the export is not verified.
    """

    def __init__(self, row: ModelExport, training: Training, folder: Path) -> None:
        self.row, self.training, self.folder = row, training, folder
        if row.verification is None:
            raise ValueError(f"export {row.id} is not verified")
        self.verification = row.verification

    @property
    def file_name(self) -> str:
        name = re.sub(r"[^\w.-]+", "-", self.training.name, flags=re.ASCII).strip("-.") or "training"
        precision = next((f"-{key}" for key in ("half", "int8") if self.row.arguments.get(key)), "")
        return f"{name}-{self.training.id}-{self.row.format}{precision}.zip"

    def pieces(self, files: Sequence[Path]) -> Iterator[bytes]:
        """The ZIP in chunks, with little of it in memory at once.

        Args:
            files: of the model, below its folder.
        """
        named = ((path.relative_to(self.folder).as_posix(), path) for path in files)
        return pack(self.texts(), named)

    def texts(self) -> dict[str, str]:
        """The generated text files, by name."""
        return {
            "README.md": self.card(),
            "example.py": self.example(),
            "names.json": json.dumps(self.names, ensure_ascii=False, indent=1) + "\n",
            "thresholds.json": json.dumps(self.thresholds(), ensure_ascii=False, indent=1) + "\n",
        }

    @cached_property
    def names(self) -> list[str]:
        return [str(name) for name in self.row.details.get("names") or self.training.dataset.classes]

    @property
    def transformer(self) -> bool:
        return "rtdetr" in (self.training.architecture or "")

    def thresholds(self) -> ThresholdsFile:
        """The confidence for the example: for boxes the one chosen for the model, unless confidences moved in the
        export, otherwise the shipped one; classification has none. `chosen`: all thresholds chosen for the .pt.
        """
        shipped = self.verification.get("at_threshold")
        confidence = shipped["confidence"] if shipped else 0.0 if self.training.task == "classify" else LEAST
        moved = bool(shipped and shipped["moved"])
        chosen = self.training.thresholds
        if chosen and chosen["confidence"] is not None and not moved and self.training.task != "classify":
            confidence = chosen["confidence"]
        values: ThresholdsFile = {
            "confidence": confidence,
            "iou": IOU,
            "moved": moved,
            "thresholds": self.row.thresholds,
        }
        if chosen:
            values["chosen"] = chosen
        return values

    def example(self) -> str:
        row = self.row
        model, task = row.details["model"], self.training.task
        return examples.example(row.format, task, model, row.arguments, IOU, self.transformer)

    def card(self) -> str:
        """The model card, in English like the example; names are escaped so that they cannot change its layout."""
        row, training = self.row, self.training
        export_format = formats().get(row.format)
        versions = packages_used(row.format, row.arguments, row.details.get("versions") or {})
        return CARD.format(
            name=harmless(training.name),
            label=export_format.label if export_format else row.format,
            what=f"{self.kind()}, for {examples.runs_with(row.format)}.",
            architecture=harmless(training.architecture or f"yolov8{training.model_version}"),
            task=training.task,
            classes=pluralize(len(self.names), "class", "classes"),
            sha256=row.weights_sha256,
            dataset=harmless(training.dataset.name),
            revision=harmless(training.dataset_revision or training.revision or "unknown"),
            trained=self.trained(),
            parameters=self.parameters(),
            params=self.training_parameters(),
            inputs=self.inputs(),
            size=row.arguments["img_size"],
            fit=self.fit(),
            options=", ".join(f"{key} {value}" for key, value in row.arguments.items() if key != "img_size") or "none",
            versions=", ".join(f"{key} {value}" for key, value in versions.items()),
            version=__version__,
            images=pluralize(self.verification["images"], "validation image", "validation images"),
            how="ultralytics" if row.format == PYTORCH else "the runtime itself, in a process of its own",
            device="the CPU" if self.verification["device"] == CPU else f"GPU {self.verification['device']}",
            alone=self.alone(),
            figures="\n".join(self.figures()),
            busy=BUSY_NOTE if self.verification.get("busy") else "",
            threshold=self.threshold(),
            needs=" ".join(examples.needs(row.format, row.arguments)),
            thresholds=self.about_thresholds(),
            notes=self.notes(),
        )

    def kind(self) -> str:
        return "Weights that were uploaded" if self.training.is_uploaded else "The best weights of a training"

    def training_parameters(self) -> str:
        """The parameters of the training; unknown for uploaded weights."""
        set_here = harmless(", ".join(f"{key} {value}" for key, value in sorted(self.training.params.items())))
        return "unknown" if self.training.is_uploaded else set_here or "default"

    def trained(self) -> str:
        row = self.training
        if row.is_uploaded:
            return f"elsewhere; uploaded as {harmless(row.start['file'])}, run {row.id}"
        best = max((item for item in row.checkpoints if item.is_best), key=lambda item: item.id, default=None)
        epochs = pluralize(row.current_epoch, "epoch", "epochs") + (f", the best one {best.epoch}" if best else "")
        batch = f"{row.batch_size}" + (f", reduced to {row.batch_now}" if row.batch_now else "")
        return f"{epochs}; batch {batch}; {row.img_size} px; run {row.id}"

    def parameters(self) -> str:
        count = self.row.details.get("parameters")
        return f", {count / 1e6:.2f} million parameters" if count else ""

    def inputs(self) -> str:
        batch = self.verification.get("batch", 1)
        count = "1 RGB image" if batch == 1 else f"{batch} RGB images"
        return f"{count} (any number and size)" if self.row.arguments.get("dynamic") else count

    def fit(self) -> str:
        if self.training.task == "classify":
            return "the shorter side scaled, the middle cut out"
        return "stretched" if self.transformer else "letterboxed with gray (114)"

    def alone(self) -> str:
        """Why the metrics of the .pt differ from those on the run's page. Those of a classification do not."""
        if self.training.task == "classify":
            return ""
        best = max((item for item in self.training.checkpoints if item.is_best), key=lambda item: item.id, default=None)
        value = ((best.metrics if best else None) or {}).get("map95")
        there = f" (mAP50-95: {value:.4f})" if value is not None else ""
        size = self.row.arguments["img_size"]
        measured = f"\nEach image was measured alone, {self.fit()} to {size} × {size} px, as this file is used."
        if self.training.is_uploaded:
            return measured
        return (
            f"{measured} The metrics of the run{there} come from batches padded as `yolo val` does it, so the two "
            "differ slightly."
        )

    def figures(self) -> Iterator[str]:
        reference, batch = self.verification["reference"], self.verification.get("batch", 1)
        each = "one image" if batch == 1 else f"{batch} images at once; the .pt: one image"
        for key, label in LABELS.items():
            if self.verification.get(key) is not None:
                yield f"| {label} | {self.verification[key]:.4f} | {reference[key]:.4f} |"
        shares: tuple[Literal["p50", "p95"], ...] = ("p50", "p95")
        for share in shares:
            mine, theirs = self.verification["latency_ms"][share], reference["latency_ms"][share]
            yield f"| Latency {share}, ms (model alone, {each}) | {mine} | {theirs} |"

    def threshold(self) -> str:
        shipped, shift = self.verification.get("at_threshold"), self.verification.get("confidence_shift")
        if not shipped:
            return "No confidence threshold is advised."
        text = "At the confidence {confidence:.3f}: precision {precision:.4f}, recall {recall:.4f}."
        parts = [text.format(**shipped)]
        if shift is not None:
            parts.append(f"Confidences differ from the .pt by {shift:+.4f} (median).")
        if shipped["moved"]:
            parts.append(f"So the threshold is not that of the .pt, {shipped['reference']['confidence']:.3f}.")
        return " ".join(parts)

    def about_thresholds(self) -> str:
        """A description of thresholds.json."""
        values = self.thresholds()
        if self.training.task == "classify":
            return (
                "The threshold in `thresholds.json` is 0: the example prints the most likely classes, however unlikely."
            )
        if (chosen := values.get("chosen")) and chosen["confidence"] is not None:
            text = (
                f"`thresholds.json` has what was chosen for this model: the confidence threshold {chosen['confidence']}"
            )
            return f"{text}, which holds for the .pt: here confidences moved." if values["moved"] else f"{text}."
        if not values["thresholds"]:
            return f"`thresholds.json` has the confidence threshold that the example uses, {values['confidence']}."
        return "`thresholds.json` has the confidence threshold that the example uses, and others."

    def notes(self) -> str:
        return f"{self.proof()} {self.making()}".strip()

    def proof(self) -> str:
        if self.verification.get("conclusive") is not False:
            return ""
        return "The .pt detects almost nothing in these images, so the comparison proves little."

    def making(self) -> str:
        count, control = self.row.details.get("calibration_images"), self.row.details.get("accuracy_control_images")
        if count is None:
            return ""
        images = pluralize(count, "training image", "training images")
        text = f"INT8 was calibrated with {images}, none of them of validation."
        if count < CALIBRATION:
            text += f" At least {CALIBRATION} are recommended."
        if control:
            text += " Layers that lost accuracy stay in floating point."
        return text


def pluralize(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
