"""The contract between the service that tests models and its program."""

from dataclasses import dataclass

from app.core.spec import Spec

AT_ONCE = 16  # questions that the program answers at the same time


@dataclass(frozen=True)
class PredictSpec(Spec):
    """How the program works.

    Args:
        cache_size: how many models stay loaded.
        max_pixels: width x height of the largest image.
        decode_seconds: of processor time for the decoding of an image.
    """

    cache_size: int
    max_pixels: int
    decode_seconds: float
