"""The side of a model's square input, in pixels."""

import math

STRIDE = 32  # px; a side is a multiple of it, since the network halves it five times


def rounded(pixels: float) -> int:
    """The next multiple of STRIDE, as ultralytics rounds."""
    return max(STRIDE, math.ceil(pixels / STRIDE) * STRIDE)
