"""The outcome of each object and each detection of an image. Pure: used by the evaluation program, and by services that
apply other thresholds without running the model again.

Matching is that of ultralytics' ConfusionMatrix.process_batch: each detection, by descending confidence, gets the best
free object above an IoU threshold, whatever its class.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MISSED, FALSE, WRONG_CLASS, DUPLICATE, CORRECT = "missed", "false", "wrong_class", "duplicate", "correct"
KINDS = (MISSED, FALSE, WRONG_CLASS, DUPLICATE, CORRECT)
SIZES = ("small", "medium", "large")
SIZE_LIMITS = (32.0**2, 96.0**2)  # px², COCO's
IOU = 0.45  # ultralytics' default for its confusion matrix
LEAST_IOU = 0.1  # lowest IoU of a stored overlap
LEAST_CONF = 0.01  # lowest confidence of a stored detection
MAX_DETECTIONS = 300  # stored detections per image

HEAD = struct.Struct("<HHHB")  # objects, detections, overlaps, coordinates of a shape
MOST_OVERLAPS = 2**16 - 1  # per image, by descending confidence of the detections

Overlap = tuple[int, int, float]  # detection, object, IoU


@dataclass(frozen=True)
class ImageResult:
    """The objects of an image and a model's detections.

    Args:
        objects: the class of each.
        object_corners: of the objects, in pixels: x1, y1, x2, y2, or four corners; () for an entire image.
        detections: the class of each, by descending confidence.
        detection_corners: as `object_corners`.
        overlaps: those above LEAST_IOU, by detection, by descending IoU.
    """

    objects: Sequence[int]
    object_corners: Sequence[Sequence[float]]
    detections: Sequence[int]
    confidences: Sequence[float]
    detection_corners: Sequence[Sequence[float]]
    overlaps: Sequence[Overlap]


@dataclass(frozen=True)
class Outcome:
    """The outcome of an object, of a detection, or of a matched pair.

    Args:
        object, detection: their indexes in `ImageResult`; -1: none.
        iou: of the detection with its best-overlapping object; None: no overlap.
    """

    kind: str
    object: int
    detection: int
    iou: float | None


def assign(overlaps: Sequence[Overlap], counted: int, iou: float) -> dict[int, tuple[int, float]]:
    """Detection → (object, IoU), for the first `counted` detections."""
    pairs: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for detection, object_index, value in overlaps:
        if detection >= counted:
            break
        if value > iou and detection not in pairs and object_index not in used:
            pairs[detection] = object_index, value
            used.add(object_index)
    return pairs


def outcomes(image: ImageResult, confidence: float, iou: float = IOU) -> list[Outcome]:
    """Every object, and every detection with at least this confidence, exactly once."""
    counted = sum(value >= confidence for value in image.confidences)
    pairs = assign(image.overlaps, counted, iou)
    best: dict[int, tuple[int, float]] = {}
    for detection, object_index, value in image.overlaps:
        best.setdefault(detection, (object_index, value))
    detected = [of_detection(image, number, pairs.get(number), best.get(number), iou) for number in range(counted)]
    matched = {object_index for object_index, _ in pairs.values()}
    missed = (index for index in range(len(image.objects)) if index not in matched)
    return detected + [Outcome(MISSED, index, -1, None) for index in missed]


def of_detection(
    image: ImageResult, number: int, pair: tuple[int, float] | None, best: tuple[int, float] | None, iou: float
) -> Outcome:
    """The outcome of a detection: correct, of the wrong class, a duplicate, or false."""
    kind = image.detections[number]
    if pair is not None:
        object_index, value = pair
        return Outcome(CORRECT if image.objects[object_index] == kind else WRONG_CLASS, object_index, number, value)
    again = best is not None and best[1] > iou and image.objects[best[0]] == kind
    return Outcome(DUPLICATE if again else FALSE, -1, number, best and best[1])


def of_classification(image: ImageResult) -> list[Outcome]:
    """The only outcome of a classification: its top class is correct or wrong."""
    right = image.detections[0] == image.objects[0]
    return [Outcome(CORRECT if right else WRONG_CLASS, 0, 0, None)]


def size_of(corners: Sequence[float]) -> str | None:
    """`small`, `medium` or `large`; None for an entire image."""
    if not corners:
        return None
    size = area(corners)
    return SIZES[sum(size >= limit for limit in SIZE_LIMITS)]


def area(shape: Sequence[float]) -> float:
    """px²."""
    if len(shape) == 4:
        return max(0.0, shape[2] - shape[0]) * max(0.0, shape[3] - shape[1])
    corners = list(zip(shape[::2], shape[1::2], strict=True))
    following = [*corners[1:], corners[0]]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))) / 2


def pack(image: ImageResult) -> bytes:
    """Encode: 18 bytes per object, 22 per detection, 8 per overlap."""
    width = len((*image.object_corners, *image.detection_corners, ())[0])
    objects, detections, overlaps = len(image.objects), len(image.detections), len(image.overlaps)
    return b"".join(
        [
            HEAD.pack(objects, detections, overlaps, width),
            struct.pack(f"<{objects + detections}H", *image.objects, *image.detections),
            struct.pack(f"<{detections}f", *image.confidences),
            struct.pack(
                f"<{width * (objects + detections)}f", *flat(image.object_corners), *flat(image.detection_corners)
            ),
            struct.pack(f"<{2 * overlaps}H", *(value for item in image.overlaps for value in item[:2])),
            struct.pack(f"<{overlaps}f", *(item[2] for item in image.overlaps)),
        ]
    )


def flat(boxes: Sequence[Sequence[float]]) -> Iterator[float]:
    return (value for box in boxes for value in box)


def unpack(data: bytes) -> ImageResult:
    """Decode an image's result that `pack` has encoded.

    Raises:
        struct.error: the bytes are not from `pack`.
    """
    objects, detections, overlaps, width = HEAD.unpack_from(data)
    form = f"<{objects + detections}H{detections}f{width * (objects + detections)}f{2 * overlaps}H{overlaps}f"
    values = struct.unpack_from(form, data, HEAD.size)
    kinds, confidences = objects + detections, objects + 2 * detections
    numbers = confidences + width * (objects + detections)
    corners = values[confidences:numbers]
    boxes = [corners[start : start + width] for start in range(0, len(corners), width or 1)]
    pairs, ious = values[numbers : numbers + 2 * overlaps], values[numbers + 2 * overlaps :]
    return ImageResult(
        values[:objects],
        boxes[:objects] if width else [()] * objects,
        values[objects:kinds],
        values[kinds:confidences],
        boxes[objects:] if width else [()] * detections,
        list(zip(pairs[::2], pairs[1::2], ious, strict=True)),
    )
