"""Limits the pixels of decoded images in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """Images wait, decoded, for a model; large ones must not add up.

    Args:
        pixels: in all; one image may always be there.
        decoders: images that are decoded at the same time, on top of that.
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
        """Whether `acquire` would not wait now."""
        return not self._used or self._used + pixels <= self.pixels

    def acquire(self, pixels: int) -> None:
        """Wait until so many fit in, in turn: small ones would pass a large one for ever. The caller
        releases them with `release`."""
        with self._turn, self._change:
            self._change.wait_for(lambda: self.fits(pixels))
            self._used += pixels

    def release(self, pixels: int) -> None:
        with self._change:
            self._used -= pixels
            self._change.notify_all()
