"""Evaluates a model on a split of a dataset.

spec.json: see core/evaluate.py; of a run that was stopped that of programs/train.py, too, whose results are written
down first. Writes `output`: every image with its objects and detections (core/outcome_files.py),
what follows from them at the confidence with the best F1, and the curves. Result: the figures.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.core.evaluate import EvaluateSpec
from app.core.files import put
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
from app.worker.revision import file_hash
from app.worker.threads import rest_when_idle


def run(channel: Channel) -> dict[str, Any]:
    """From the weights to the result.

    Raises:
        StopRequested: the supervisor asked to stop.
        WeightsError, DataError: what cannot be used.
    """
    os.nice(5)  # what trains comes first
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
    return evaluation.write() | {"seconds": round(time.monotonic() - began, 1)}


class Evaluating:
    """Measures the model, then writes down what follows."""

    def __init__(self, channel: Channel, spec: EvaluateSpec) -> None:
        self.channel, self.spec = channel, spec
        self.output, self.root = Path(spec.output), Path(spec.data).resolve().parent
        self.pictures: list[Picture] = []
        self.progress = ProgressReporter(channel, 0, "evaluating")

    def measure(self) -> None:
        """Hear every image."""
        from app.worker.measuring import Images, measure

        images = Images(Path(self.spec.data), self.spec.split, self.spec.classes)
        try:
            self.weights_sha256 = file_hash(Path(self.spec.weights))  # first: a run that goes on replaces its best ones
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
        self.pictures.append((len(self.pictures) + 1, name, image.width, image.height, pack(image.seen)))
        self.progress.step()

    def write(self) -> dict[str, Any]:
        """The files, then the result.

        Raises:
            DataError: nothing was measured.
        """
        if not self.pictures:
            raise DataError("the split has no images that can be read")
        from app.worker.bootstrap import KEYS, intervals
        from app.worker.curves import curves_of
        from app.worker.matches import write_matches

        found = self.measured
        curves = found.part and curves_of(found.part, len(found.names))
        best = curves and curves.pop("best")
        confidence = round(max(LEAST_CONF, best["confidence"]), 3) if best else 0.0 if found.part is None else 0.25
        self.output.mkdir(parents=True, exist_ok=True)
        order = natural_order(self.pictures)
        pictures = [(number, *self.pictures[place][1:]) for number, place in enumerate(order, 1)]
        put(self.output / OUTCOMES, lambda draft: write_outcomes(draft, pictures))
        view = self.output / view_name(confidence, IOU)
        put(view, lambda draft: write_view(draft, pictures, confidence, IOU))
        put(self.output / LABEL_ERRORS, lambda draft: write_label_errors(draft, pictures))
        if self.spec.task in KEYS and len(found.matches.get("conf", ())) == len(order):
            put(self.output / MATCHES, lambda draft: write_matches(draft, found.matches, self.spec.task, order))
        curves = named(curves, found.names)
        text = json.dumps(curves, ensure_ascii=False, separators=(",", ":"))
        put(self.output / CURVES, lambda draft: draft.write_text(text, encoding="utf-8"))
        return {
            "names": found.names,
            "images": len(pictures),
            "objects": found.objects,
            "metrics": found.metrics if found.objects else dict.fromkeys(found.metrics),  # 0 would be a verdict
            "intervals": intervals(found.matches, self.spec.task),
            "classes": with_confidence(found.classes, curves),
            "best": best,
            "curves": curves and {name: curves[name] for name in ("x", "precision", "recall")},
            "sizes": sizes_in(view),
            "confidence": confidence,
            "iou": IOU,
            "speed_ms": found.speed_ms,
            "weights_sha256": self.weights_sha256,
        }


def natural_order(pictures: Sequence[Picture]) -> list[int]:
    """The places of the images in the order of their names, whatever order they were measured in."""
    from app.core.natural import natural_key

    return sorted(range(len(pictures)), key=lambda place: natural_key(pictures[place][1]))


def named(curves: dict[str, Any] | None, names: Sequence[str]) -> dict[str, Any] | None:
    """The curves with the names of the classes."""
    if curves is None:
        return None
    classes = [{"name": names[item.pop("class")]} | item for item in curves["classes"]]
    return {**curves, "classes": classes}


def with_confidence(classes: Sequence[dict[str, Any]], curves: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Each class with the confidence of its best F1."""
    peaks = {}
    for item in curves["classes"] if curves else ():
        place = max(range(len(item["f1"])), key=item["f1"].__getitem__)
        peaks[item["name"]] = curves["x"][place] if curves and item["f1"][place] > 0 else None
    return [item | {"best_confidence": peaks.get(item["name"])} for item in classes]
