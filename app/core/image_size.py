"""The side of a model's input, in pixels."""

import math

STRIDE = 32  # px; sides are multiples of it: five halvings


def rounded(pixels: float) -> int:
    """The next multiple of STRIDE, as ultralytics takes it."""
    return max(STRIDE, math.ceil(pixels / STRIDE) * STRIDE)
