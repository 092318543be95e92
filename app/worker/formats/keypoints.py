"""What a dataset says of its keypoints: how many there are, and which ones a mirrored image swaps."""

from collections.abc import Sequence

from app.core.report import Keypoints


def described(count: int, names: Sequence[str]) -> Keypoints:
    """kpt_shape, and flip_idx by left and right in the names."""
    made: Keypoints = {"kpt_shape": [count, 3]}
    mirrored = [mirror(name) for name in names]
    if len(names) == count and len(set(names)) == count and list(names) != mirrored:
        order = [names.index(other) if other in names else index for index, other in enumerate(mirrored)]
        if sorted(order) == list(range(count)):
            made["flip_idx"] = order
    return made


def mirror(name: str) -> str:
    """ "right_eye" of "left_eye"."""
    for one, other in (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT")):
        if one in name:
            return name.replace(one, other)
        if other in name:
            return name.replace(other, one)
    return name
