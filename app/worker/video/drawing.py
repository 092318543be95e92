"""Draws detections on the frames of a video. Like on images, but faster: a label is rendered once, then copied."""

from functools import lru_cache
from typing import Any

import cv2
import numpy

from app.core.shapes import TrackedDetection
from app.worker.picture import COLOURS, label_font, readable_on


def draw(frame: Any, detections: list[TrackedDetection], order: dict[str, int], scale: float = 1.0) -> Any:
    """The modified frame (BGR array), with the shape and a label of each detection; `order` numbers the classes.

    Args:
        scale: px of the frame per px of the detections.
    """
    height, width, _ = frame.shape
    line = max(2, round((width + height) * 0.0015))
    size = max(12, round((width + height) * 0.012))
    for item in reversed(detections):  # the most confident last, so that it stays readable where boxes overlap
        colour = COLOURS[order.get(item["class"], 0) % len(COLOURS)]
        box = [round(value * scale) for value in item["bbox"]]
        if "top5" not in item:  # a class of the entire image has no shape
            draw_shape(frame, item, box, bgr(colour), line, scale)
        draw_label(frame, text_of(item), box, colour, size)
    return frame


def text_of(item: TrackedDetection) -> str:
    """The track id, if it has one, its class and the confidence."""
    number = f"#{item['track_id']} " if item.get("track_id") is not None else ""
    return f"{number}{item['class']} {item['confidence']:.2f}".replace("\n", " ")


def draw_shape(
    frame: Any, item: TrackedDetection, box: list[int], colour: tuple[int, int, int], line: int, scale: float
) -> None:
    """The polygon or oriented box if there is one, otherwise the box; and its keypoints."""
    points = item.get("polygon") or item.get("corners") or []
    if len(points) > 2:
        outline = numpy.rint(numpy.asarray(points) * scale).astype(numpy.int32)
        cv2.polylines(frame, [outline], True, colour, line, cv2.LINE_AA)
    else:
        cv2.rectangle(frame, (box[0], box[1]), (box[2], box[3]), colour, line)
    for x, y, *confidence in item.get("keypoints", []):
        if not confidence or confidence[0] >= 0.5:
            cv2.circle(frame, (round(x * scale), round(y * scale)), round(line * 1.5), colour, -1, cv2.LINE_AA)


def draw_label(frame: Any, text: str, box: list[int], colour: str, size: int) -> None:
    """Above the box, or inside if there is no space, never outside the frame."""
    label = label_of(text, colour, size)
    height, width, _ = frame.shape
    label = label[:height, :width]
    high, wide, _ = label.shape
    x = max(0, min(box[0], width - wide))
    y = box[1] - high if box[1] >= high else min(max(0, box[1]), height - high)
    y = max(0, min(y, height - high))
    frame[y : y + high, x : x + wide] = label


@lru_cache(maxsize=1024)
def label_of(text: str, colour: str, size: int) -> Any:
    """A text on its color: BGR."""
    from PIL import Image, ImageDraw

    font = label_font(size)
    left, top, right, bottom = font.getbbox(text)
    label = Image.new("RGB", (round(right - left) + 6, round(bottom - top) + 6), colour)
    ImageDraw.Draw(label).text((3 - left, 3 - top), text, fill=readable_on(colour), font=font)
    return numpy.ascontiguousarray(numpy.asarray(label)[..., ::-1])


@lru_cache(maxsize=len(COLOURS))
def bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return blue, green, red
