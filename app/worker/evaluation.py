"""Collects the final validation of the best weights in `evaluation/evaluation.json` of the training's folder.

Confusion matrix, curves over the confidence, the confidence with the best F1, and images with errors, as thumbnails
(`image-N.jpg`). Matching is that of ultralytics' ConfusionMatrix.process_batch: each prediction, by descending
confidence, gets the best free object above an IoU of 0.45, whatever its class. The threshold is the confidence with the
best F1, at which precision and recall are also reported.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

from app.core.files import atomic_write
from app.core.final_evaluation import Accuracy, EvaluatedPicture, FinalCurves, FinalEvaluation
from app.core.outcomes import CORRECT, IOU, ImageResult, Outcome, outcomes, pack, unpack
from app.core.shapes import Shape
from app.worker.curves import curves_of
from app.worker.measures import PARTS
from app.worker.recording import detected
from app.worker.shapes import Batch, parts, save_picture, set_geometry, short

LEAST_CONF = 0.05
GUESSES = 3  # of a classification
WORST = 24
OF_CELL, OF_RIGHT_CELL = 8, 2  # example images per cell off and on the diagonal
PICTURES = 240
PICTURES_S = 15.0  # maximum time for them

Pair = tuple[int, int]  # indexes of a prediction and an object in an image; -1: none


class Match(TypedDict):
    """The predictions of an image matched with its objects: the number of predictions above the threshold, and of
    errors.
    """

    counted: int
    pairs: list[Pair]
    errors: int


@dataclass(frozen=True)
class ImageOutcomes:
    """A compact record of an image, since there may be many; its size in pixels, 0 for classification."""

    file: str
    width: int
    height: int
    packed: bytes

    @property
    def instances(self) -> ImageResult:
        return unpack(self.packed)


class EvaluationResults:
    """Records the final validation, image by image, and writes the results."""

    def __init__(self, folder: Path, task: str) -> None:
        self.folder, self.task = folder, task
        self.images: list[ImageOutcomes] = []
        self.sizes: dict[int, tuple[int, int]] = {}  # of thumbnails, by their image's index
        self.broken = False

    def add_image(self, validator: Any, file: str, pred: Any, index: int, batch: Batch) -> None:
        """Record one image: its detections, its objects, and their overlaps."""
        image = detected(validator, pred, index, batch)
        self.images.append(ImageOutcomes(file, image.width, image.height, pack(image.instances)))

    def gather(self, rank: int) -> None:
        """With several processes, gather all images in rank 0. Every process must call it."""
        import torch.distributed as dist

        gathered: list[Any] | None = [None] * dist.get_world_size() if rank == 0 else None
        dist.gather_object(self.images, gathered, dst=0)
        if gathered is not None:
            self.images = [image for images in gathered for image in images or ()]

    def write(self, metrics: Any, names: Sequence[str], measure: str) -> None:
        """Write the results.

        Args:
            metrics: ultralytics', after the validation. measure: the name of the main one, "mAP50(M)".
        """
        curves = None if self.task == "classify" else curves_of(getattr(metrics, PARTS[measure[-2:-1]]))
        best = curves["best"] if curves else None
        confidence = max(LEAST_CONF, best["confidence"]) if best else 0.0
        matched = [match(image.instances, confidence, self.task) for image in self.images]
        cells = cells_of([image.instances for image in self.images], matched, len(names))
        chosen, listed = self.choose(matched, cells)
        body: FinalEvaluation = {
            "task": self.task,
            "names": list(names),
            "images": len(self.images),
            "objects": sum(len(image.instances.objects) for image in self.images),
            "confidence": short(confidence),
            "iou": IOU,
            "best": best,
            "curves": curves and cast(FinalCurves, {name: curve for name, curve in curves.items() if name != "best"}),
            "accuracy": accuracy(metrics) if self.task == "classify" else None,
            "matrix": [(row, column, sum(counts.values())) for (row, column), counts in sorted(cells.items())],
            "cells": {f"{row},{column}": numbers for (row, column), numbers in listed.items()},
            "pictures": [self.picture(number, index, matched[index]) for index, number in chosen.items()],
            "worst": [chosen[index] for index in worst(matched) if index in chosen],
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        atomic_write(self.folder / "evaluation.json", lambda draft: draft.write_text(text, encoding="utf-8"))
        self.images = []

    def choose(self, matched: Sequence[Match], cells: Any) -> tuple[dict[int, int], dict[Any, Any]]:
        """The images that get a thumbnail, as index → number; and the numbers of each cell."""
        clear(self.folder)
        candidates = list(worst(matched))
        behind = {}
        for cell, counts in cells.items():
            most = OF_RIGHT_CELL if cell[0] == cell[1] else OF_CELL
            behind[cell] = sorted(counts, key=lambda index: -counts[index])[:most]
            candidates += behind[cell]
        chosen: dict[int, int] = {}
        until = time.monotonic() + PICTURES_S
        for index in dict.fromkeys(candidates):
            if len(chosen) >= PICTURES or time.monotonic() > until:
                break
            target = self.folder / f"image-{len(chosen)}.jpg"
            try:
                self.sizes[index] = save_picture(Path(self.images[index].file), target)
            except (OSError, ValueError):  # deleted meanwhile, or unreadable
                continue
            chosen[index] = len(chosen)
        listed = {cell: [chosen[index] for index in indices if index in chosen] for cell, indices in behind.items()}
        return chosen, listed

    def picture(self, number: int, index: int, outcome: Match) -> EvaluatedPicture:
        """An image of the file, with its shapes."""
        image, (width, height) = self.images[index], self.sizes[index]
        instances, rows = image.instances, range(outcome["counted"])
        detected: list[Shape] = [
            {"class": instances.detections[row], "conf": short(instances.confidences[row])} for row in rows
        ]
        truth: list[Shape] = [{"class": kind} for kind in instances.objects]
        for shapes, corners in ((detected, instances.detection_corners), (truth, instances.object_corners)):
            for shape, where in zip(shapes, corners, strict=False):
                if where:  # classification has no coordinates
                    set_geometry(shape, parts(zip(where[::2], where[1::2], strict=True), image.width, image.height))
        return {
            "number": number,
            "file": Path(image.file).name,
            "width": width,
            "height": height,
            "found": detected,
            "truth": truth,
            "pairs": outcome["pairs"],
            "errors": outcome["errors"],
        }


def match(instances: ImageResult, confidence: float, task: str) -> Match:
    """The predictions of an image matched with its objects."""
    if task == "classify":
        counted = min(GUESSES, len(instances.detections))
        return {"counted": counted, "pairs": [(0, 0)], "errors": int(instances.detections[0] != instances.objects[0])}
    all_outcomes = outcomes(instances, confidence, IOU)
    return {
        "counted": sum(outcome.detection >= 0 for outcome in all_outcomes),
        "pairs": [pair_of(outcome) for outcome in all_outcomes],
        "errors": sum(outcome.kind != CORRECT for outcome in all_outcomes),
    }


def pair_of(outcome: Outcome) -> Pair:
    return outcome.detection, outcome.object


def cells_of(
    images: Sequence[ImageResult], matched: Sequence[Match], classes: int
) -> dict[tuple[int, int], Counter[int]]:
    """(predicted, true) → count by image; the number of classes stands for the background."""
    cells: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for image_index, (instances, outcome) in enumerate(zip(images, matched, strict=True)):
        for index, there in outcome["pairs"]:
            row = instances.detections[index] if index >= 0 else classes
            column = instances.objects[there] if there >= 0 else classes
            cells[row, column][image_index] += 1
    return dict(cells)


def worst(matched: Sequence[Match]) -> Iterable[int]:
    """The indexes of the images with most errors."""
    wrong = [index for index, outcome in enumerate(matched) if outcome["errors"]]
    return sorted(wrong, key=lambda index: -matched[index]["errors"])[:WORST]


def accuracy(metrics: Any) -> Accuracy:
    return {"top1": short(metrics.top1), "top5": short(metrics.top5)}


def clear(folder: Path) -> None:
    """Remove the thumbnails of an earlier end, before the run was extended."""
    for path in folder.glob("image-*.jpg"):
        path.unlink(missing_ok=True)
