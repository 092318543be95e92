"""Compares an export with the .pt that it was made of, from their detections on the same images. Pure."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from app.core.cpu import cpu_name
from app.core.curves import F1Point, ModelCurves
from app.core.exports import BUSY, Comparison, Figures, LowerPrecision, Measurement, ShippedThreshold
from app.core.metrics import WORTH

IOU = 0.5  # from here on two detections are the same
AGREEMENT = 0.8  # share of the .pt's detections that an export in floating point must have, too
ALIKE, ALIKE_SHIFT = 0.9, 0.005  # agreement and shift of what may run in the place of the .pt unasked
MOVED = 0.02  # so far a confidence may move before the .pt's threshold is in doubt
WORSE = 0.01  # F1 at the .pt's threshold
MIN_CONFIDENCE = 0.05  # below, confidences are noise
MIN_MARGIN = 5  # times what may be lost: a figure below could hardly lose that

Row = Sequence[float]  # class, confidence, box


def verify(
    reference: Measurement, export: Measurement, int8: bool, allowed_loss: float
) -> tuple[Comparison, str | None]:
    """The verification as the API shows it, and why the export cannot be offered: `accuracy_lost`, `unproven` (there
    is nothing to compare), or None: it can.

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
    """Why the export cannot be offered; None: it can."""
    agreement = comparison["agreement"]
    if agreement is None or (int8 and not comparison["conclusive"]):  # for INT8 nothing else than the figures speaks
        return "unproven"
    if comparison["loss"] > comparison["allowed_loss"] or (not int8 and agreement < AGREEMENT):
        return "accuracy_lost"
    return None


def is_conclusive(reference: Measurement, allowed_loss: float) -> bool:
    """Whether the .pt detects enough for its figures to fall: 0 = 0 proves nothing."""
    curves = reference["curves"]
    if "top1" in reference:  # of a classification: clearly better than chance
        chance = 1 / max(2, len(reference["names"]))
        return bool(reference["top1"] >= chance + WORTH * (1 - chance))
    useful = curves is None or curves["best"]["f1"] >= WORTH
    return useful and bool(figure(reference) >= MIN_MARGIN * allowed_loss)


def as_good(reference: Measurement, fast: Measurement, allowed_loss: float) -> LowerPrecision | None:
    """The figures of an export in a lower precision, where nobody would tell it from the .pt at the same threshold;
    None: it must not run in the place of that."""
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
    """The figures, null where the task has none; of a classification top1 and top5."""
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
    """Of mAP50-95, or of the top-1 accuracy."""
    return round(figure(reference) - figure(export), 5)


def figure(measured: Measurement) -> float:
    """What it is judged by."""
    return float(measured["top1"] if "top1" in measured else measured["map95"])


def matched(first: Mapping[str, Sequence[Row]], second: Mapping[str, Sequence[Row]]) -> Iterable[tuple[Row, Row]]:
    """Pairs of the same detection, each of the first once with the nearest free one of the second."""
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
    """IoU of two boxes; of oriented ones (four corners) that of the boxes around them; 1 where there are none."""
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
    """The median change of the confidence of detections that the .pt is at least a little sure of."""
    moves = [export[1] - reference[1] for reference, export in pairs if reference[1] >= MIN_CONFIDENCE]
    return round(statistics.median(moves), 4) if moves else None


def at_threshold(
    reference: ModelCurves | None, export: ModelCurves | None, shift: float | None
) -> ShippedThreshold | None:
    """The threshold that is shipped, with precision and recall of the export there; None where there is none to ship.

    It is that of the .pt unless confidences moved, or the export is worse there than it could be; then `moved`.
    """
    if not reference or not export or reference["best"]["f1"] < WORTH:
        return None
    expected = reference["best"]
    actual = reading(export, expected["confidence"])
    moved = (shift is not None and abs(shift) > MOVED) or actual["f1"] < expected["f1"] - WORSE
    return {**(export["best"] if moved else actual), "moved": moved, "reference": expected}


def reading(curves: ModelCurves, confidence: float) -> F1Point:
    """What the curves say at a confidence: what they say of the best one, or between the points beside it."""
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
