"""Stores the matches of each image in an evaluation, so that two evaluations can be compared.

`matches.npz`, in the order of `outcomes.sqlite`: per image the numbers of detections and objects; per detection its
confidence, class and one bit per IoU at which it is correct; per object its class. For masks and keypoints by their own
IoU, as in mAP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.worker.bootstrap import KEYS, up_to_the_last

IOUS = 10


def write_matches(path: Path, matches: Mapping[str, Sequence[Any]], task: str, order: Sequence[int]) -> None:
    """Write the matches of an evaluation, from which a comparison resamples mAP.

    Args:
        matches: by image, as ultralytics collects them (Measured.matches).
        order: of the images in the file, as indexes of `matches`.
    """
    import numpy as np

    def joined(name: str) -> Any:
        return np.concatenate([np.asarray(matches[name][index]) for index in order])

    bits = joined(KEYS[task]).astype(np.uint16) << np.arange(IOUS, dtype=np.uint16)
    with open(path, "wb") as file:
        np.savez_compressed(
            file,
            detections=np.array([len(matches["conf"][index]) for index in order], np.uint32),
            objects=np.array([len(matches["target_cls"][index]) for index in order], np.uint32),
            conf=joined("conf").astype(np.float32),
            kinds=joined("pred_cls").astype(np.uint16),
            right=bits.sum(1, dtype=np.uint16),
            there=joined("target_cls").astype(np.uint16),
        )


@dataclass(frozen=True)
class Matches:
    """The matches as read.

    Args:
        images: their number. classes: for each class with objects its number, and the arrays of bootstrap.by_class.
    """

    images: int
    detections: int
    classes: Sequence[tuple[Any, Any, Any]]

    @classmethod
    def read(cls, path: Path) -> "Matches":
        """Read matches written by `write_matches`, by class.

        Raises:
            OSError: the file is missing.
            ValueError: it is damaged.
            KeyError: the same.
        """
        import numpy as np

        with np.load(path) as arrays:
            order = np.argsort(-arrays["conf"], kind="stable")
            kinds = arrays["kinds"][order]
            right = (arrays["right"][order][:, None] >> np.arange(IOUS)) & 1
            images = np.repeat(np.arange(len(arrays["detections"])), arrays["detections"])[order]
            images_of_objects, truth = np.repeat(np.arange(len(arrays["objects"])), arrays["objects"]), arrays["there"]
            numbers = np.unique(truth)
            by_class = ((kinds == kind, images_of_objects[truth == kind]) for kind in numbers)
            classes = [(*up_to_the_last(right[mine], images[mine]), objects) for mine, objects in by_class]
            return cls(len(arrays["detections"]), len(kinds), classes)
