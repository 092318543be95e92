"""An object in an image, as JSON: written by a child, read by the web process and drawn by the pages.

One type for each place where objects are kept, as they differ in units and in what is known. What an evaluation keeps
of all objects and detections of an image is `ImageResult` (outcomes.py).
"""

from typing import NotRequired, TypedDict

Point = list[float]

ClassConfidence = TypedDict("ClassConfidence", {"class": str, "confidence": float})

# What a model detects in an image, in pixels of the image as shown (specification: `results` of a test).
Detection = TypedDict(
    "Detection",
    {
        "class": str,
        "confidence": float,
        "bbox": list[float],  # x1, y1, x2, y2; of an oriented box the upright one round it
        "center": Point,
        "area": float,
        "polygon": NotRequired[list[Point]],
        "corners": NotRequired[list[Point]],  # of an oriented box
        "keypoints": NotRequired[list[Point]],  # x, y, confidence
        "top5": NotRequired[list[ClassConfidence]],  # of a classification, whose `bbox` is the whole image
    },
)


class TrackedDetection(Detection):
    """The same in a frame of a video, or in one of many images."""

    track_id: NotRequired[int | None]  # None: it belongs to no object that was seen twice


# An object or a detection beside a small picture of its image: previews of a run, and its first evaluation. Places are
# fractions of the image's width and height; an image that is classified has none.
Shape = TypedDict(
    "Shape",
    {
        "class": int,
        "conf": NotRequired[float],  # of detections
        "box": NotRequired[list[float]],  # x1, y1, x2, y2
        "polygon": NotRequired[list[float]],  # x, y, x, y ... of a mask or an oriented box
        "points": NotRequired[list[Point]],  # of keypoints: x, y, visibility or confidence
    },
)

# A labelled object as the pages draw it. Fractions of the image.
DrawnObject = TypedDict(
    "DrawnObject",
    {
        "class": int,
        "kind": str,  # box, polygon, obb, keypoints
        "box": NotRequired[list[float]],  # center x, center y, width, height
        "points": NotRequired[list[Point]],  # x, y of a polygon or of corners; x, y, visibility of keypoints
    },
)


class LabelledObject(DrawnObject):
    """The same of a dataset's version, as its index has it."""

    line: int  # of its label file, or its number in the annotation file
