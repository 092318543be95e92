"""The files of a training's previews: written by the trainer, read by the web process."""

from typing import TypedDict

from app.core.shapes import Shape

MAX_SHAPES = 30  # per image and epoch, the most confident ones
MAX_MASKS = 10  # fewer for segmentation, whose polygons are large


class PreviewImage(TypedDict):
    """One of the preview images, with its objects. Its thumbnail has `width` x `height` px."""

    file: str
    width: int
    height: int
    truth: list[Shape]


class PreviewIndex(TypedDict):
    """index.json."""

    task: str
    names: list[str]
    images: list[PreviewImage]


class PreviewEpoch(TypedDict):
    """epoch-N.json: the detections in each image, in the order of the index."""

    epoch: int
    images: list[list[Shape]]
