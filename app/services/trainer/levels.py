"""Rates metrics by task: the only table for lists, pages and verdicts. See the wiki (Metricas)."""

import math
from collections.abc import Mapping
from typing import TypedDict

# Good from the first value, fair from the second. Masks, keypoints and oriented boxes have stricter matching.
LEVELS: dict[str, dict[str, tuple[float, float]]] = {
    "detect": {"map50": (0.8, 0.5), "map95": (0.5, 0.3), "precision": (0.8, 0.6), "recall": (0.8, 0.6)},
    "segment": {"map50": (0.75, 0.45), "map95": (0.45, 0.25), "precision": (0.8, 0.6), "recall": (0.75, 0.55)},
    "pose": {"map50": (0.8, 0.5), "map95": (0.5, 0.3), "precision": (0.8, 0.6), "recall": (0.8, 0.6)},
    "obb": {"map50": (0.75, 0.45), "map95": (0.5, 0.3), "precision": (0.8, 0.6), "recall": (0.75, 0.55)},
    "classify": {"top1": (0.9, 0.75), "top5": (0.98, 0.9)},
}
NOTHING = 0.01  # mAP50 below which a model detects nothing
CHANCE = 1.25  # times the accuracy of guessing, below which a classification has learned nothing
Z = 1.96  # for a 95% interval


class MainFigures(TypedDict):
    """The figures of an epoch that the main metric is among; `parts` by ultralytics' names."""

    map50: float | None
    parts: Mapping[str, float | None]


def main_metric(task: str) -> str:
    """The name of the task's main metric."""
    return "top1" if task == "classify" else "map50"


def main_value(task: str, epoch: MainFigures | None) -> float | None:
    """The main metric of an epoch, which has the fields of table training_metric."""
    if epoch is None:
        return None
    value = (epoch["parts"] or {}).get("metrics/accuracy_top1") if task == "classify" else epoch["map50"]
    return None if value is None or not math.isfinite(value) else value


def level_of(task: str, value: float | None, classes: int) -> str | None:
    """good, fair, low or nothing; None without a value.

    Args:
        value: of the main metric. classes: of the dataset; guessing is right once in that many images.
    """
    if value is None:
        return None
    if value < (min(CHANCE / max(classes, 1), 0.99) if task == "classify" else NOTHING):
        return "nothing"
    good, fair = LEVELS.get(task, LEVELS["detect"])[main_metric(task)]
    return "good" if value >= good else "fair" if value >= fair else "low"


def margin_of(share: float, count: int) -> float | None:
    """Half the width of Wilson's 95% interval of a share of `count` objects (Wilson 1927)."""
    if count <= 0:
        return None
    square = Z * Z
    return Z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
