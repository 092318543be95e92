"""A model's detections in an image, as data: boxes, polygons, keypoints, oriented boxes, or classes of the entire
image.
"""

from collections.abc import Iterator
from typing import Any

from app.core.shapes import ClassConfidence, Detection

MOST_CORNERS = 400  # of a polygon; masks of 640 px have some hundred
OUTLINE_ERROR = 0.6  # tolerance in pixels when a polygon is simplified


def detections_of(result: Any, conf: float) -> tuple[list[Detection], list[Detection]]:
    """The detections of an ultralytics result by descending confidence: those above `conf`, and those below.

    Classification always has one: the top class, with `top5`.
    """
    if result.probs is not None:
        return [classification(result)], []
    pairs = sorted(zip(confidences(result), objects(result), strict=True), key=lambda item: -item[0])
    return [item for confidence, item in pairs if confidence > conf], [
        item for confidence, item in pairs if not confidence > conf
    ]


def boxes_of(result: Any) -> Any:
    return result.obb if result.obb is not None else result.boxes


def confidences(result: Any) -> list[float]:
    """As given by the model, not rounded."""
    return boxes_of(result).conf.tolist()


def objects(result: Any) -> Iterator[Detection]:
    """Each detection with its shape, in the result's order."""
    boxes, names = boxes_of(result), result.names
    rows = zip(boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True)
    for index, (corners, confidence, kind) in enumerate(rows):
        item_of_box = detection(str(names.get(int(kind), int(kind))), confidence, corners)
        if result.obb is not None:
            item_of_box["corners"] = rounded(boxes.xyxyxyxy[index].tolist())
        if result.masks is not None:
            item_of_box["polygon"] = outline(result.masks.xy[index])
        if result.keypoints is not None:
            item_of_box["keypoints"] = rounded(result.keypoints.data[index].tolist(), 2)
        yield item_of_box


def classification(result: Any) -> Detection:
    """The top class of the entire image, with the five best."""
    height, width = result.orig_shape
    names, probs = result.names, result.probs
    best = [(str(names.get(kind, kind)), round(float(probs.data[kind]), 4)) for kind in probs.top5]
    top5: list[ClassConfidence] = [{"class": name, "confidence": confidence} for name, confidence in best]
    return {**detection(*best[0], [0.0, 0.0, width, height]), "top5": top5}


def detection(name: str, confidence: float, corners: list[float]) -> Detection:
    """One detection, in pixels."""
    x1, y1, x2, y2 = (round(value, 2) for value in corners)
    return {
        "class": name,
        "confidence": round(confidence, 4),
        "bbox": [x1, y1, x2, y2],
        "center": [round((x1 + x2) / 2, 2), round((y1 + y2) / 2, 2)],
        "area": round((x2 - x1) * (y2 - y1), 2),
    }


def outline(points: Any) -> list[list[float]]:
    """The polygon of a mask, simplified (Douglas-Peucker); empty for an empty mask."""
    import cv2

    error = OUTLINE_ERROR
    while len(points) > 3:
        simple = cv2.approxPolyDP(points.reshape(-1, 1, 2).astype("float32"), error, True).reshape(-1, 2)
        if len(simple) <= MOST_CORNERS:
            return rounded(simple.tolist())
        error *= 2
    return rounded(points.tolist())


def rounded(points: list[list[float]], digits: int = 1) -> list[list[float]]:
    return [[round(value, digits) for value in point] for point in points]
