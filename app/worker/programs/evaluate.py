"""Evaluates a model on a split of a dataset.

spec.json: see core/evaluate.py; for a stopped run also that of programs/train.py, whose results are written first.
Writes `output`: every image with its objects and detections (core/outcome_files.py), the outcomes at the confidence
with the best F1, and the curves. Result: the metrics.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.core.curves import ModelCurves, NamedCurve, NamedCurves
from app.core.evaluate import ClassFigures, ClassResult, EvaluateSpec, EvaluationResult
from app.core.files import atomic_write, file_hash
from app.core.outcome_files import (
    CURVES,
    LABEL_ERRORS,
    MATCHES,
    OUTCOMES,
    Picture,
    sizes_in,
    view_name,
    write_label_errors,
    write_outcomes,
    write_view,
)
from app.core.outcomes import IOU, LEAST_CONF, pack
from app.worker.channel import Channel
from app.worker.failures import DataError, StopRequested, WeightsError
from app.worker.progress import ProgressReporter
from app.worker.threads import rest_when_idle


def run(channel: Channel) -> EvaluationResult:
    """Run an evaluation.

    Raises:
        StopRequested: a stop was requested.
        WeightsError: the weights cannot be used.
        DataError: the dataset cannot be used.
    """
    os.nice(5)  # trainings have priority
    rest_when_idle()
    from app.worker.train import limit_memory, private_settings

    spec = EvaluateSpec.of(channel.spec)
    limit_memory(spec.memory_limit)
    private_settings()
    if spec.conclude:
        from app.worker.conclusion import conclude

        conclude(channel)
    began = time.monotonic()
    evaluation = Evaluating(channel, spec)
    evaluation.measure()
    result = evaluation.write()
    return {**result, "seconds": round(time.monotonic() - began, 1)}


class Evaluating:
    """Evaluates the model, then writes the results."""

    def __init__(self, channel: Channel, spec: EvaluateSpec) -> None:
        self.channel, self.spec = channel, spec
        self.output, self.root = Path(spec.output), Path(spec.data).resolve().parent
        self.pictures: list[Picture] = []
        self.progress = ProgressReporter(channel, 0, "evaluating")

    def measure(self) -> None:
        """Validate every image."""
        from app.worker.measuring import Images, measure

        images = Images(Path(self.spec.data), self.spec.split, self.spec.classes)
        try:
            # first, since a resumed run replaces its best weights
            self.weights_sha256 = file_hash(Path(self.spec.weights))
        except FileNotFoundError as error:
            raise WeightsError("the weights are gone") from error
        self.measured = measure(
            Path(self.spec.weights),
            self.spec.task,
            images,
            self.channel.directory / "scratch",
            img_size=self.spec.img_size,
            device=self.spec.device,
            batch=self.spec.batch,
            add_image=self.add_image,
            before_batch=self.stop_if_requested,
            on_total=self.count,
        )

    def count(self, total: int) -> None:
        self.progress.total = total

    def stop_if_requested(self) -> None:
        if self.channel.stop_requested():
            raise StopRequested

    def add_image(self, image: Any) -> None:
        path = Path(image.file)
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        self.pictures.append((len(self.pictures) + 1, name, image.width, image.height, pack(image.instances)))
        self.progress.step()

    def write(self) -> EvaluationResult:
        """Write the files; the result.

        Raises:
            DataError: no image could be evaluated.
        """
        if not self.pictures:
            raise DataError("the split has no images that can be read")
        from app.worker.bootstrap import KEYS, intervals
        from app.worker.curves import curves_of
        from app.worker.matches import write_matches

        measured = self.measured
        model_curves = None if measured.part is None else curves_of(measured.part, len(measured.names))
        best = model_curves["best"] if model_curves else None
        confidence = round(max(LEAST_CONF, best["confidence"]), 3) if best else 0.0 if measured.part is None else 0.25
        self.output.mkdir(parents=True, exist_ok=True)
        order = natural_order(self.pictures)
        pictures = [(number, *self.pictures[index][1:]) for number, index in enumerate(order, 1)]
        atomic_write(self.output / OUTCOMES, lambda draft: write_outcomes(draft, pictures))
        view = self.output / view_name(confidence, IOU)
        atomic_write(view, lambda draft: write_view(draft, pictures, confidence, IOU))
        atomic_write(self.output / LABEL_ERRORS, lambda draft: write_label_errors(draft, pictures))
        if self.spec.task in KEYS and len(measured.matches.get("conf", ())) == len(order):
            atomic_write(
                self.output / MATCHES, lambda draft: write_matches(draft, measured.matches, self.spec.task, order)
            )
        curves = with_names(model_curves, measured.names)
        text = json.dumps(curves, ensure_ascii=False, separators=(",", ":"))
        atomic_write(self.output / CURVES, lambda draft: draft.write_text(text, encoding="utf-8"))
        return {
            "names": measured.names,
            "images": len(pictures),
            "objects": measured.objects,
            "metrics": measured.metrics
            if measured.objects
            else dict.fromkeys(measured.metrics),  # 0 would be misleading
            "intervals": intervals(measured.matches, self.spec.task),
            "classes": with_confidence(measured.classes, curves),
            "best": best,
            "curves": curves and {"x": curves["x"], "precision": curves["precision"], "recall": curves["recall"]},
            "sizes": sizes_in(view),
            "confidence": confidence,
            "iou": IOU,
            "speed_ms": measured.speed_ms,
            "weights_sha256": self.weights_sha256,
        }


def natural_order(pictures: Sequence[Picture]) -> list[int]:
    """The indexes of the images in natural order of their names, independent of the order of validation."""
    from app.core.natural import natural_key

    return sorted(range(len(pictures)), key=lambda index: natural_key(pictures[index][1]))


def with_names(curves: ModelCurves | None, names: Sequence[str]) -> NamedCurves | None:
    """The curves with the names of the classes."""
    if curves is None:
        return None
    classes: list[NamedCurve] = [
        {
            "name": names[item["class"]],
            "precision": item["precision"],
            "recall": item["recall"],
            "f1": item["f1"],
            "pr": item["pr"],
        }
        for item in curves["classes"]
    ]
    return {
        "x": curves["x"],
        "precision": curves["precision"],
        "recall": curves["recall"],
        "f1": curves["f1"],
        "pr": curves["pr"],
        "classes": classes,
    }


def with_confidence(classes: Sequence[ClassFigures], curves: NamedCurves | None) -> list[ClassResult]:
    """Each class with the confidence of its best F1."""
    peaks: dict[str, float | None] = {}
    for item in curves["classes"] if curves else ():
        peak = max(range(len(item["f1"])), key=item["f1"].__getitem__)
        peaks[item["name"]] = curves["x"][peak] if curves and item["f1"][peak] > 0 else None
    return [{**item, "best_confidence": peaks.get(item["name"])} for item in classes]
