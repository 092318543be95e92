"""A dataset's keypoints: their number, and which ones a mirrored image swaps."""

from collections.abc import Sequence

from app.core.report import Keypoints


def described(count: int, names: Sequence[str]) -> Keypoints:
    """kpt_shape, and flip_idx from left and right in the names."""
    keypoints: Keypoints = {"kpt_shape": [count, 3]}
    mirrored = [mirror(name) for name in names]
    if len(names) == count and len(set(names)) == count and list(names) != mirrored:
        order = [
            names.index(counterpart) if counterpart in names else index for index, counterpart in enumerate(mirrored)
        ]
        if sorted(order) == list(range(count)):
            keypoints["flip_idx"] = order
    return keypoints


def mirror(name: str) -> str:
    """ "right_eye" for "left_eye"."""
    for side, opposite in (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT")):
        if side in name:
            return name.replace(side, opposite)
        if opposite in name:
            return name.replace(opposite, side)
    return name
