"""Explains why a run has detected nothing so far: too few iterations, or labels that do not fit. Pure functions.

Measured on the sample dataset from scratch (YOLOv8n, 96 px; docs in the wiki, Metricas): with right labels the first
detections come after about 300 iterations; with the label files shuffled among the images, mAP50 stays near 0 however
long it trains, while the training loss flattens at a high level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypedDict, cast

from app.core.text_data import TextData
from app.core.train import TrainingParams

Epochs = Sequence[Mapping[str, Any]]

LEARNED = 0.1  # mAP50: a model above it has learned something; wrong labels rarely get so far
FEW_SCRATCH, FEW_PRETRAINED = 300, 150  # iterations in which a model may well detect nothing yet
ENOUGH = 5  # times these: the labels are judged even while the loss still falls
FALLING = 0.03  # of the loss, from one quarter of the newest epochs to the next: below, it has flattened
WINDOW = 12  # newest epochs that the course of the loss is judged by
LEAST = 4  # epochs for a judgement


def images_used(images: int, params: TrainingParams) -> int:
    """The number of training images in use: ultralytics applies the parameter `fraction`."""
    return max(1, round(images * params.get("fraction", 1.0)))


def iterations(images: int, batch: int, params: TrainingParams) -> int:
    """The iterations of an epoch, with so many training images."""
    return -(-images_used(images, params) // max(1, batch))


@dataclass(frozen=True)
class Schedule:
    """How a run trains.

    Attributes:
        iterations: of an epoch. scratch: it did not begin with pretrained weights.
    """

    iterations: int
    scratch: bool

    @property
    def few(self) -> int:
        return FEW_SCRATCH if self.scratch else FEW_PRETRAINED


class Iterations(TypedDict, total=False):
    """How many there were, how many are enough, and whether the run did not begin with pretrained weights."""

    iterations: int
    enough: int
    scratch: bool


def why_nothing(epochs: Epochs, schedule: Schedule) -> tuple[str, Iterations] | None:
    """`few_iterations`, `still_falling` or `labels`, with the data of its sentence; None where something was detected.

    Args:
        epochs: the run so far, oldest first, with `epoch`, `loss` and `map50` (None throughout a classification).
    """
    if not epochs or max(item["map50"] or 0.0 for item in epochs) >= LEARNED:
        return None
    iterations = epochs[-1]["epoch"] * schedule.iterations
    data: Iterations = {"iterations": iterations, "enough": schedule.few, "scratch": schedule.scratch}
    falls = falling(epochs)
    if iterations < schedule.few:
        return "few_iterations", data
    if falls is None:  # too few epochs with a loss to judge by
        return None
    if falls > FALLING and iterations < ENOUGH * schedule.few:
        return "still_falling", data
    return "labels", data


def falling(epochs: Epochs) -> float | None:
    """By what share the training loss fell from the first half of the newest epochs to the second; None: unknown."""
    losses = [item["loss"] for item in epochs[-WINDOW:] if item["loss"] is not None]
    if len(losses) < LEAST:
        return None
    half = len(losses) // 2
    before, since = fmean(losses[:half]), fmean(losses[half:])
    return (before - since) / before if before > 0 else 0.0


def early_signs(epochs: Epochs, planned: int, schedule: Schedule) -> tuple[str, TextData] | None:
    """Advice during the run: the plan is too short for a model from scratch, or the labels look wrong.

    Args:
        planned: epochs of the run.
    """
    total = planned * schedule.iterations
    if schedule.scratch and total < schedule.few:
        return "few_iterations", {"iterations": total, "enough": schedule.few, "epochs": planned}
    code, data = why_nothing(epochs, schedule) or ("", Iterations())
    return (code, cast(TextData, data)) if code == "labels" else None
