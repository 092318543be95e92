"""Curves over the confidence, as data."""

from typing import Any

from app.worker.shapes import short

POINTS = 101  # of a curve
CLASSES = 40  # with curves of their own: the first ones


def curves_of(part: Any, most: int = CLASSES) -> dict[str, Any] | None:
    """Curves of ultralytics' measures of boxes, masks or keypoints, at POINTS places, of all and of at most so many
    classes; None where nothing was found.

    "x": the confidence, and for `pr` the recall. "best": the confidence with the best mean F1, smoothed as ultralytics
    smooths it, and what the curves say there.
    """
    import numpy as np
    from ultralytics.utils.metrics import smooth

    curves = {"precision": part.p_curve, "recall": part.r_curve, "f1": part.f1_curve, "pr": part.prec_values}
    if not len(part.ap_class_index) or any(len(curve) == 0 for curve in curves.values()):
        return None
    places = np.linspace(0, len(part.px) - 1, POINTS).round().astype(int)
    peak = int(smooth(part.f1_curve.mean(0), 0.1).argmax())
    mean = {name: curve.mean(0) for name, curve in curves.items()}
    return {
        "x": rounded(np.asarray(part.px)[places]),
        **{name: rounded(curve[places]) for name, curve in mean.items()},
        "classes": [
            {"class": int(index), **{name: rounded(curve[row][places]) for name, curve in curves.items()}}
            for row, index in enumerate(part.ap_class_index[:most])
        ],
        "best": {"confidence": short(part.px[peak])}
        | {name: short(mean[name][peak]) for name in ("precision", "recall", "f1")},
    }


def rounded(values: Any) -> list[float]:
    return [short(value) for value in values.tolist()]
