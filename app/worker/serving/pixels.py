"""Limits the pixels of decoded images in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """Limits the total of decoded images that wait for a model.

    Args:
        pixels: in total; a single image is always allowed.
        decoders: parallel decodings, in addition.
    """

    def __init__(self, pixels: int, decoders: int) -> None:
        self.pixels, self._used = pixels, 0
        self._change, self._turn = threading.Condition(), threading.Lock()
        self._decoders = threading.BoundedSemaphore(decoders)

    @contextmanager
    def decoding(self) -> Iterator["PixelBudget"]:
        """A decoder slot, in which to `acquire` the image's pixels."""
        with self._decoders:
            yield self

    def fits(self, pixels: int) -> bool:
        """Whether `acquire` would not block now."""
        return not self._used or self._used + pixels <= self.pixels

    def acquire(self, pixels: int) -> None:
        """Wait until so many pixels are free, in order of arrival: otherwise small images could overtake a large one
        forever. The caller releases them with `release`.
        """
        with self._turn, self._change:
            self._change.wait_for(lambda: self.fits(pixels))
            self._used += pixels

    def release(self, pixels: int) -> None:
        with self._change:
            self._used -= pixels
            self._change.notify_all()
