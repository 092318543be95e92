"""Explains why a run has detected nothing so far: too few iterations, or wrong labels. Pure functions.

Measured on the sample dataset from scratch (YOLOv8n, 96 px; documented in the wiki, Metricas): with correct labels, the
first detections appear after about 300 iterations; with shuffled label files, mAP50 stays near 0 however long the
training, while the training loss flattens at a high level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypedDict, cast

from app.core.metrics import EpochFigures
from app.core.text_data import TextData
from app.core.train import TrainingParams

Epochs = Sequence[EpochFigures]

LEARNED = 0.1  # mAP50 from which a model has learned something; with wrong labels it rarely gets there
FEW_SCRATCH, FEW_PRETRAINED = 300, 150  # iterations during which a model may well detect nothing yet
ENOUGH = 5  # times these: labels are judged even while the loss still decreases
FALLING = 0.03  # share of the loss, from one quarter of the latest epochs to the next, below which it has flattened
WINDOW = 12  # latest epochs by which the loss is judged
LEAST = 4  # epochs required for a judgment


def images_used(images: int, params: TrainingParams) -> int:
    """The number of training images used, given ultralytics' parameter `fraction`."""
    return max(1, round(images * params.get("fraction", 1.0)))


def iterations(images: int, batch: int, params: TrainingParams) -> int:
    """The iterations per epoch, for a number of training images."""
    return -(-images_used(images, params) // max(1, batch))


@dataclass(frozen=True)
class Schedule:
    """The plan of a run.

    Attributes:
        iterations: per epoch. scratch: it did not begin with pretrained weights.
    """

    iterations: int
    scratch: bool

    @property
    def few(self) -> int:
        return FEW_SCRATCH if self.scratch else FEW_PRETRAINED


class Iterations(TypedDict, total=False):
    """The iterations so far, those required, and whether the run did not begin with pretrained weights."""

    iterations: int
    enough: int
    scratch: bool


def why_nothing(epochs: Epochs, schedule: Schedule) -> tuple[str, Iterations] | None:
    """`few_iterations`, `still_falling` or `labels`, with the data of its sentence; None if something was detected.

    Args:
        epochs: the run so far, oldest first, with `epoch`, `loss` and `map50` (always None for classification).
    """
    if not epochs or max(item["map50"] or 0.0 for item in epochs) >= LEARNED:
        return None
    iterations = epochs[-1]["epoch"] * schedule.iterations
    data: Iterations = {"iterations": iterations, "enough": schedule.few, "scratch": schedule.scratch}
    falls = falling(epochs)
    if iterations < schedule.few:
        return "few_iterations", data
    if falls is None:  # too few epochs with a loss
        return None
    if falls > FALLING and iterations < ENOUGH * schedule.few:
        return "still_falling", data
    return "labels", data


def falling(epochs: Epochs) -> float | None:
    """The share by which the training loss decreased from the first half of the latest epochs to the second; None:
    unknown.
    """
    losses = [item["loss"] for item in epochs[-WINDOW:] if item["loss"] is not None]
    if len(losses) < LEAST:
        return None
    half = len(losses) // 2
    before, since = fmean(losses[:half]), fmean(losses[half:])
    return (before - since) / before if before > 0 else 0.0


def early_signs(epochs: Epochs, planned: int, schedule: Schedule) -> tuple[str, TextData] | None:
    """Advice during the run: the plan is too short for a model from scratch, or the labels may be wrong.

    Args:
        planned: epochs of the run.
    """
    total = planned * schedule.iterations
    if schedule.scratch and total < schedule.few:
        return "few_iterations", {"iterations": total, "enough": schedule.few, "epochs": planned}
    code, data = why_nothing(epochs, schedule) or ("", Iterations())
    return (code, cast(TextData, data)) if code == "labels" else None
