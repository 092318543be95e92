"""Detections and ground truth of an image as plain values for the browser to draw.

See `Shape`: coordinates are fractions of the image's width and height.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from app.core.files import atomic_write
from app.core.shapes import Shape

DIGITS = 4
MOST_CORNERS = 60  # of a mask's polygon
SIDE = 640  # px, of the longer side of a thumbnail
QUALITY = 80


class Batch(TypedDict):
    """The batch of an ultralytics validator, as far as it is read here. Tensors unless stated otherwise."""

    img: Any  # [N, 3, height, width] of the network's input
    im_file: Sequence[str]
    cls: Any
    ori_shape: NotRequired[Sequence[tuple[int, int]]]  # height and width of each image, px; missing for classification
    ratio_pad: NotRequired[Sequence[Any]]


class Predictions(TypedDict):
    """The detections in one image: a tensor each, the same detection at the same index."""

    bboxes: Any
    conf: Any
    cls: Any
    masks: NotRequired[Any]
    keypoints: NotRequired[Any]


class ImageLabel(TypedDict):
    """The objects of an image, as ultralytics' datasets hold them: an array each, a row an object."""

    cls: Any
    bboxes: Any
    segments: NotRequired[Any]
    keypoints: NotRequired[Any]


class InputGeometry(TypedDict):
    """How an image was scaled and padded to the network's input: height and width each, px."""

    ori_shape: tuple[int, int]
    ratio_pad: Any
    imgsz: Any


def top_by_confidence(pred: Predictions, least: float, most: int) -> Predictions:
    """One image's predictions with a confidence of at least `least`, by descending confidence, at most `most`."""
    order = pred["conf"].argsort(descending=True)[:most]
    order = order[pred["conf"][order] >= least]
    return cast(Predictions, {name: value[order] for name, value in cast(Mapping[str, Any], pred).items()})


def predicted_shapes(pred: Predictions, index: int, batch: Batch) -> list[Shape]:
    """The shapes of predictions for the image `index` of a validation's batch."""
    shapes: list[Shape] = [
        {"class": int(kind), "conf": short(conf)}
        for kind, conf in zip(pred["cls"].tolist(), pred["conf"].tolist(), strict=True)
    ]
    if shapes:
        add_geometry(shapes, pred, input_geometry(index, batch))
    return shapes


def input_geometry(index: int, batch: Batch) -> InputGeometry:
    """The geometry of one image in a batch."""
    return {
        "ori_shape": batch["ori_shape"][index],
        "ratio_pad": batch["ratio_pad"][index],
        "imgsz": batch["img"].shape[2:],
    }


def add_geometry(shapes: list[Shape], pred: Predictions, geometry: InputGeometry) -> None:
    """Add box, polygon and points of each, from the task's `bboxes`, `masks` and `keypoints`."""
    from ultralytics.utils import ops

    size, original, padding = geometry["imgsz"], geometry["ori_shape"], geometry["ratio_pad"]
    height, width = (float(side) for side in original)
    for shape, corners in zip(shapes, corners_of(pred["bboxes"], geometry).tolist(), strict=True):
        set_geometry(shape, corners)
    if "masks" in pred:
        for shape, mask in zip(shapes, pred["masks"], strict=True):
            shape["polygon"] = outline(mask, geometry)
    if "keypoints" in pred:
        scaled = ops.scale_coords(size, pred["keypoints"].clone().float(), original, ratio_pad=padding)
        for shape, row in zip(shapes, scaled.tolist(), strict=True):
            shape["points"] = [[*parts([(x, y)], width, height), short(more[0] if more else 1)] for x, y, *more in row]


def corners_of(boxes: Any, geometry: InputGeometry) -> Any:
    """Boxes of the network's input, [N, 4], as x1, y1, x2, y2, or oriented ones, [N, 5], as their four corners: [N, 4]
    or [N, 8] in fractions of the image.
    """
    from ultralytics.utils import ops

    turned = boxes.shape[1] == 5
    scaled: Any = ops.scale_boxes(
        geometry["imgsz"], boxes.clone().float(), geometry["ori_shape"], ratio_pad=geometry["ratio_pad"], xywh=turned
    )
    corners = ops.xywhr2xyxyxyxy(scaled) if turned else scaled.view(-1, 2, 2)
    height, width = geometry["ori_shape"]
    return (corners / corners.new_tensor([width, height])).flatten(1)


def set_geometry(shape: Shape, corners: Iterable[float]) -> None:
    """Set its box or polygon from one row of `corners_of`."""
    values = [short(value) for value in corners]
    if len(values) == 4:
        shape["box"] = values
    else:
        shape["polygon"] = values


def outline(mask: Any, geometry: InputGeometry) -> list[float]:
    """The largest polygon of a mask, with few corners. The mask has cells of several pixels of the network's input: the
    polygon follows the edges of its outer cells, within half a pixel of the input, not their centers.
    """
    import cv2
    import numpy as np
    from ultralytics.utils import ops

    image = mask.cpu().numpy().astype(np.uint8)
    left, top, width, height = cv2.boundingRect(image)
    if not width:
        return []
    size, original = geometry["imgsz"], geometry["ori_shape"]
    cell = size[1] / image.shape[1], size[0] / image.shape[0]  # px
    piece = cv2.copyMakeBorder(255 * image[top : top + height, left : left + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    finer = (cv2.resize(piece, None, fx=cell[0], fy=cell[1], interpolation=cv2.INTER_LINEAR) > 127).astype(np.uint8)
    outlines, _ = cv2.findContours(finer, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return []
    largest = max(outlines, key=cv2.contourArea)
    corners = cv2.approxPolyDP(largest, 0.005 * cv2.arcLength(largest, True), True).reshape(-1, 2).astype(np.float32)
    corners = fewer(corners) + 0.5  # the contour goes through the centers of pixels
    corners += np.array([(left - 1) * cell[0], (top - 1) * cell[1]], dtype=np.float32)
    scaled = ops.scale_coords(size, corners, original, ratio_pad=geometry["ratio_pad"])
    return parts(scaled.tolist(), original[1], original[0])


def fewer(corners: Any) -> Any:
    """At most MOST_CORNERS of them, evenly spaced."""
    return corners[:: max(1, -(-len(corners) // MOST_CORNERS))]


def labelled_shapes(label: ImageLabel) -> list[Shape]:
    """The shapes of one image's label in ultralytics' dataset: boxes as xywh, in fractions of the image."""
    shapes: list[Shape] = []
    segments, points = label.get("segments") or [], label.get("keypoints")
    for row, kind in enumerate(label["cls"].reshape(-1).tolist()):
        x, y, width, height = label["bboxes"][row].tolist()
        corners = [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
        shape: Shape = {"class": int(kind), "box": parts(corners)}
        if row < len(segments):
            shape["polygon"] = parts(fewer(segments[row]).tolist())
        if points is not None:
            shape["points"] = [
                [*parts([(x, y)]), float(more[0] if more else 1)] for x, y, *more in points[row].tolist()
            ]
        shapes.append(shape)
    return shapes


def parts(corners: Iterable[Any], width: float = 1.0, height: float = 1.0) -> list[float]:
    """x, y, x, y ... in fractions of the image."""
    return [short(value / side) for x, y in corners for value, side in ((x, width), (y, height))]


def short(value: float) -> float:
    return round(float(value), DIGITS)


def save_picture(source: Path, target: Path, side: int = SIDE) -> tuple[int, int]:
    """Write a thumbnail of an image as JPEG, upright; returns its width and height in px.

    Raises:
        ValueError: it cannot be read.
    """
    import cv2
    import numpy as np

    data = cv2.imdecode(np.fromfile(source, np.uint8), cv2.IMREAD_COLOR)
    if data is None:
        raise ValueError(f"cannot read {source.name}")
    scale = side / max(data.shape[:2])
    if scale < 1:
        size = max(1, round(data.shape[1] * scale)), max(1, round(data.shape[0] * scale))
        data = cv2.resize(data, size, interpolation=cv2.INTER_AREA)
    succeeded, encoded = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not succeeded:
        raise ValueError(f"cannot encode {source.name}")
    atomic_write(target, lambda draft: draft.write_bytes(encoded.tobytes()))
    return data.shape[1], data.shape[0]
