"""An object in an image as JSON: written by a child, read by the web process and drawn by the pages.

There is one type for each place where objects are stored, since units and fields differ. An evaluation stores all
objects and detections of an image as `ImageResult` (outcomes.py).
"""

from typing import NotRequired, TypedDict

Point = list[float]

ClassConfidence = TypedDict("ClassConfidence", {"class": str, "confidence": float})

# A model's detection in an image, in pixels of the upright image (specification: `results` of a test).
Detection = TypedDict(
    "Detection",
    {
        "class": str,
        "confidence": float,
        "bbox": list[float],  # x1, y1, x2, y2; of an oriented box, its axis-aligned bounding box
        "center": Point,
        "area": float,
        "polygon": NotRequired[list[Point]],
        "corners": NotRequired[list[Point]],  # of an oriented box
        "keypoints": NotRequired[list[Point]],  # x, y, confidence
        "top5": NotRequired[list[ClassConfidence]],  # of a classification, whose `bbox` is the entire image
    },
)


class TrackedDetection(Detection):
    """A detection in a frame of a video, or in one of many images."""

    track_id: NotRequired[int | None]  # None: not tracked across frames


# An object or a detection for a thumbnail: previews of a run, and its final evaluation. Coordinates are fractions of
# the image's width and height; a classified image has none.
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

# A labeled object for drawing. Fractions of the image.
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
    """A labeled object in the index of a dataset's version."""

    line: int  # of its label file, or its number in the annotation file
