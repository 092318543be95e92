"""Compares an export with its .pt, by their detections on the same images. Pure."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from app.core.cpu import cpu_name
from app.core.curves import F1Point, ModelCurves
from app.core.exports import BUSY, Comparison, Figures, LowerPrecision, Measurement, ShippedThreshold
from app.core.metrics import WORTH

IOU = 0.5  # from here on, two detections match
AGREEMENT = 0.8  # share of the .pt's detections that a floating-point export must have too
ALIKE, ALIKE_SHIFT = 0.9, 0.005  # agreement and shift required for serving requests automatically
MOVED = 0.02  # largest shift of confidences at which the .pt's threshold is still valid
WORSE = 0.01  # loss of F1 at the .pt's threshold that invalidates it
MIN_CONFIDENCE = 0.05  # lower confidences are noise
MIN_MARGIN = 5  # times the accepted loss: the minimum of a metric that could fall by it

Row = Sequence[float]  # class, confidence, box


def verify(
    reference: Measurement, export: Measurement, int8: bool, allowed_loss: float
) -> tuple[Comparison, str | None]:
    """The verification for the API, and why the export is rejected: `accuracy_lost`, `unproven` (nothing to compare),
    or None.

    Args:
        allowed_loss: of mAP50-95.
    """
    pairs = list(matched(reference["detections"], export["detections"]))
    expected = sum(len(rows) for rows in reference["detections"].values())
    agreement = round(len(pairs) / expected, 4) if expected else None
    shift = confidence_shift(pairs)
    comparison: Comparison = {
        **figures_of(export),
        "images": export["images"],
        "reference": {**figures_of(reference), "latency_ms": reference["latency_ms"]},
        "at_threshold": at_threshold(reference["curves"], export["curves"], shift),
        "confidence_shift": shift,
        "agreement": agreement,
        "latency_ms": export["latency_ms"],
        "device": export["device"],
        "loss": loss(reference, export),
        "allowed_loss": allowed_loss,
        "conclusive": is_conclusive(reference, allowed_loss),
        "busy": max(item.get("contention") or 1.0 for item in (reference, export)) >= BUSY,
    }
    return comparison, verdict(comparison, int8)


def verdict(comparison: Comparison, int8: bool) -> str | None:
    """Why the export is rejected; None: it is not."""
    agreement = comparison["agreement"]
    # INT8 may shift detections, so it is judged by the metric alone
    if agreement is None or (int8 and not comparison["conclusive"]):
        return "unproven"
    if comparison["loss"] > comparison["allowed_loss"] or (not int8 and agreement < AGREEMENT):
        return "accuracy_lost"
    return None


def is_conclusive(reference: Measurement, allowed_loss: float) -> bool:
    """Whether the .pt's metric is high enough to fall: 0 = 0 proves nothing."""
    curves = reference["curves"]
    if "top1" in reference:  # for classification: clearly better than chance
        chance = 1 / max(2, len(reference["names"]))
        return bool(reference["top1"] >= chance + WORTH * (1 - chance))
    useful = curves is None or curves["best"]["f1"] >= WORTH
    return useful and bool(figure(reference) >= MIN_MARGIN * allowed_loss)


def as_good(reference: Measurement, fast: Measurement, allowed_loss: float) -> LowerPrecision | None:
    """The metrics of an export in a lower precision that is equivalent to the .pt at the same threshold; None: it must
    not serve requests in its stead.
    """
    comparison, wrong = verify(reference, fast, False, allowed_loss)
    threshold, shift = comparison["at_threshold"], comparison["confidence_shift"] or 0.0
    if (
        wrong
        or not comparison["conclusive"]
        or (comparison["agreement"] or 0.0) < ALIKE
        or abs(shift) > ALIKE_SHIFT
        or (threshold and threshold["moved"])
    ):
        return None
    return {
        "loss": comparison["loss"],
        "agreement": comparison["agreement"],
        "confidence_shift": comparison["confidence_shift"],
        "latency_ms": comparison["latency_ms"],
        "cpu": cpu_name(),
        **figures_of(fast),
    }


def figures_of(measured: Measurement) -> Figures:
    """The metrics, null if the task has none; for classification, top1 and top5."""
    figures: Figures = {
        "precision": measured.get("precision"),
        "recall": measured.get("recall"),
        "map50": measured.get("map50"),
        "map95": measured.get("map95"),
    }
    if "top1" in measured:
        figures["top1"] = measured["top1"]
    if "top5" in measured:
        figures["top5"] = measured["top5"]
    return figures


def loss(reference: Measurement, export: Measurement) -> float:
    """The loss of mAP50-95, or of the top-1 accuracy."""
    return round(figure(reference) - figure(export), 5)


def figure(measured: Measurement) -> float:
    """The metric that decides."""
    return float(measured["top1"] if "top1" in measured else measured["map95"])


def matched(first: Mapping[str, Sequence[Row]], second: Mapping[str, Sequence[Row]]) -> Iterable[tuple[Row, Row]]:
    """Pairs of matching detections, one to one, each with the nearest free one of the second model."""
    for file, rows in first.items():
        free = list(second.get(file, ()))
        for row in rows:
            same = [
                candidate for candidate in free if candidate[0] == row[0] and overlap(row[2:], candidate[2:]) >= IOU
            ]
            if same:
                best = max(same, key=lambda candidate: overlap(row[2:], candidate[2:]))
                free.remove(best)
                yield row, best


def overlap(first: Row, second: Row) -> float:
    """IoU of two boxes; of oriented ones (four corners) that of their bounding boxes; 1 without boxes."""
    if not first:
        return 1.0
    if len(first) == 8:
        first, second = around(first), around(second)
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (area(first) + area(second) - both)


def around(corners: Row) -> Row:
    return (min(corners[::2]), min(corners[1::2]), max(corners[::2]), max(corners[1::2]))


def area(box: Row) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def confidence_shift(pairs: Sequence[tuple[Row, Row]]) -> float | None:
    """The median change of confidence of detections above MIN_CONFIDENCE of the .pt."""
    moves = [export[1] - reference[1] for reference, export in pairs if reference[1] >= MIN_CONFIDENCE]
    return round(statistics.median(moves), 4) if moves else None


def at_threshold(
    reference: ModelCurves | None, export: ModelCurves | None, shift: float | None
) -> ShippedThreshold | None:
    """The shipped threshold, with the export's precision and recall there; None if there is none.

    It is the .pt's unless confidences shifted, or the export's F1 there is clearly below its best; then `moved`.
    """
    if not reference or not export or reference["best"]["f1"] < WORTH:
        return None
    expected = reference["best"]
    actual = reading(export, expected["confidence"])
    moved = (shift is not None and abs(shift) > MOVED) or actual["f1"] < expected["f1"] - WORSE
    return {**(export["best"] if moved else actual), "moved": moved, "reference": expected}


def reading(curves: ModelCurves, confidence: float) -> F1Point:
    """The values of the curves at a confidence: at the best one, or interpolated."""
    if curves["best"]["confidence"] == confidence:
        return curves["best"]
    x = curves["x"]
    above = next((index for index, at in enumerate(x) if at >= confidence), len(x) - 1)
    below = max(0, above - 1)
    share = (confidence - x[below]) / ((x[above] - x[below]) or 1.0)

    def between(curve: Sequence[float]) -> float:
        return round(curve[below] + share * (curve[above] - curve[below]), 4)

    return {
        "confidence": confidence,
        "precision": between(curves["precision"]),
        "recall": between(curves["recall"]),
        "f1": between(curves["f1"]),
    }
