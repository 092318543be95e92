"""Near-duplicates among many images: perceptual hashes that differ in a few bits."""

from collections.abc import Sequence

DISTANCE = 4  # bits of 64


def near_duplicates(hashes: Sequence[int | None], distance: int = DISTANCE) -> list[list[int]]:
    """Groups of two or more images that look alike, as ascending indices into `hashes`, ordered by their first.

    Two images whose hashes differ in at most `distance` bits are in one group, and so is what they are linked to by
    others. None: not compared.
    """
    raise NotImplementedError
