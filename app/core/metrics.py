"""The registry of metrics: columns, API, curves, backups and the training program follow from this list.

A new one needs a line here, a column with its migration, a field of MetricOut and the trainer that reports it.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict

WORTH = 0.1  # F1: below, a model detects almost nothing, and no confidence threshold makes it useful

# What an epoch measured of one class of the validation set; "class" is its number, "instances" how many objects it has.
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


@dataclass(frozen=True)
class Metric:
    """A figure of an epoch.

    Args:
        key: its column in the table training_metric, and its name in the API.
        label: in English, as the pages show it.
        goal: which values are better; None: neither.
        low, high: its range; None: open.
        reported: by ultralytics as `metrics/{reported}(B)`, or (M) of masks, (P) of keypoints; "": it is not.
        in_event: whether the event of an epoch has it among its metrics; else it is a field of its own.
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
REPORTED = {metric.key: metric.reported for metric in METRICS if metric.reported}  # of what is found in the images
