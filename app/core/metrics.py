"""The registry of metrics: columns, API, curves, backups and the training program follow from this list.

A new metric needs a line here, a column with its migration, a field of MetricOut, and a trainer that reports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

WORTH = 0.1  # lowest F1 of a useful model: below, it detects almost nothing at any threshold

# The metrics of one class in an epoch's validation; "class": its number, "instances": how many objects it has.
ClassMetrics = TypedDict(
    "ClassMetrics",
    {
        "class": int,
        "ap50": float | None,
        "ap95": float | None,
        "precision": float,
        "recall": float,
        "instances": int,
    },
)


class EpochFigures(TypedDict):
    """An epoch as it is judged; None: it was no number, or the task has none. `seconds`, `timing`: s.

    `parts`: of the losses and metrics, by ultralytics' names; `classes`, `parts`, `timing`: empty of older epochs.
    """

    epoch: int
    loss: float | None
    val_loss: float | None
    map50: float | None
    fitness: float | None
    learning_rate: float | None
    seconds: float | None
    parts: Mapping[str, float | None]
    timing: Mapping[str, float]
    classes: list[ClassMetrics]


@dataclass(frozen=True)
class Metric:
    """A metric of an epoch.

    Args:
        key: its column in the table training_metric, and its name in the API.
        label: in English, as on the pages.
        goal: which values are better; None: neither.
        low, high: its range; None: unbounded.
        reported: ultralytics' name, as in `metrics/{reported}(B)`, (M) for masks, (P) for keypoints; "": not reported.
        in_event: whether it is among the metrics of the epoch's event; otherwise it is a field of its own.
    """

    key: str
    label: str
    goal: Literal["max", "min"] | None = None
    low: float | None = 0.0
    high: float | None = None
    reported: str = ""
    in_event: bool = True


METRICS = (
    Metric("loss", "Training loss", "min"),
    Metric("val_loss", "Validation loss", "min"),
    Metric("precision", "Precision", "max", high=1.0, reported="precision"),
    Metric("recall", "Recall", "max", high=1.0, reported="recall"),
    Metric("map50", "mAP50", "max", high=1.0, reported="mAP50"),
    Metric("map95", "mAP50-95", "max", high=1.0, reported="mAP50-95"),
    Metric("learning_rate", "Learning rate"),
    Metric("fitness", "Fitness", "max", in_event=False),
    Metric("seconds", "Seconds per epoch", in_event=False),
)
KEYS = tuple(metric.key for metric in METRICS)
IN_EVENT = tuple(metric.key for metric in METRICS if metric.in_event)
REPORTED = {metric.key: metric.reported for metric in METRICS if metric.reported}  # of the detections
