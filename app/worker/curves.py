"""Curves over the confidence, as data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.core.curves import ClassCurve, ModelCurves
from app.worker.shapes import short

if TYPE_CHECKING:
    import numpy as np

POINTS = 101  # per curve
CLASSES = 40  # maximum number of classes with their own curves: the first ones


def curves_of(part: Any, most: int = CLASSES) -> ModelCurves | None:
    """Curves of ultralytics' metrics of boxes, masks or keypoints, at POINTS points, overall and for at most `most`
    classes; None without detections.

    "x": the confidence, and for `pr` the recall. "best": the confidence with the best mean F1, smoothed as in
    ultralytics, and the values of the curves there.
    """
    import numpy as np
    from ultralytics.utils.metrics import smooth

    curves: dict[str, np.ndarray] = {
        "precision": part.p_curve,
        "recall": part.r_curve,
        "f1": part.f1_curve,
        "pr": part.prec_values,
    }
    if not len(part.ap_class_index) or any(len(curve) == 0 for curve in curves.values()):
        return None
    points = np.linspace(0, len(part.px) - 1, POINTS).round().astype(int)
    peak = int(smooth(part.f1_curve.mean(0), 0.1).argmax())
    mean = {name: curve.mean(0) for name, curve in curves.items()}
    return {
        "x": rounded(np.asarray(part.px)[points]),
        **class_curve(mean, points),
        "classes": [
            {"class": int(index), **class_curve({name: curve[row] for name, curve in curves.items()}, points)}
            for row, index in enumerate(part.ap_class_index[:most])
        ],
        "best": {
            "confidence": short(part.px[peak]),
            "precision": short(mean["precision"][peak]),
            "recall": short(mean["recall"][peak]),
            "f1": short(mean["f1"][peak]),
        },
    }


def class_curve(curves: Mapping[str, "np.ndarray"], points: Any) -> ClassCurve:
    """The values of a class, or overall, at these points."""
    return {
        "precision": rounded(curves["precision"][points]),
        "recall": rounded(curves["recall"][points]),
        "f1": rounded(curves["f1"][points]),
        "pr": rounded(curves["pr"][points]),
    }


def rounded(values: Any) -> list[float]:
    return [short(value) for value in values.tolist()]
