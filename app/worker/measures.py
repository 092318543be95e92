"""Reads the metrics of a validation by class."""

from typing import Any

from app.core.metrics import ClassMetrics

PARTS = {"B": "box", "M": "seg", "P": "pose"}  # the letter in ultralytics' names: "metrics/mAP50(M)"


def by_class(validator: Any, key: str) -> list[ClassMetrics]:
    """Each class of the validation set, as in events.Epoch.classes; empty if the task has no such metrics.

    Args:
        validator: after its run, with `metrics` filled.
        key: ultralytics' name of the task's main metric, which selects boxes, masks or keypoints.
    """
    if hasattr(validator, "targets") and hasattr(validator, "pred"):
        return of_classes(validator)
    part = getattr(validator.metrics, PARTS.get(key[-2:-1], ""), None)
    if part is None:
        return []
    counts = validator.metrics.nt_per_class
    columns = zip(part.ap_class_index, part.ap50, part.ap, part.p, part.r, strict=True)
    return [
        {
            "class": int(index),
            "ap50": short(ap50),
            "ap95": short(ap95),
            "precision": short(precision),
            "recall": short(recall),
            "instances": int(counts[index]),
        }
        for index, ap50, ap95, precision, recall in columns
    ]


def of_classes(validator: Any) -> list[ClassMetrics]:
    """For classification: the recall of a class is its top-1 accuracy."""
    matrix = validator.confusion_matrix.matrix  # [predicted, true]
    right, true, predicted = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    return [
        {
            "class": index,
            "ap50": None,
            "ap95": None,
            "precision": short(right[index] / predicted[index]) if predicted[index] else 0.0,
            "recall": short(right[index] / true[index]),
            "instances": int(true[index]),
        }
        for index in range(validator.nc)
        if true[index]
    ]


def short(value: Any) -> float:
    return round(float(value), 5)
