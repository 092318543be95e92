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
        self.pixels, self._taken = pixels, 0
        self._change, self._turn = threading.Condition(), threading.Lock()
        self._places = threading.BoundedSemaphore(decoders)

    @contextmanager
    def decoding(self) -> Iterator["PixelBudget"]:
        """A place to decode an image, and to `take` its pixels."""
        with self._places:
            yield self

    def fits(self, pixels: int) -> bool:
        """Whether `take` would not wait now."""
        return not self._taken or self._taken + pixels <= self.pixels

    def take(self, pixels: int) -> None:
        """Wait until so many fit in, in turn: small ones would pass a large one for ever. They are for the caller to
        `give` back."""
        with self._turn, self._change:
            self._change.wait_for(lambda: self.fits(pixels))
            self._taken += pixels

    def give(self, pixels: int) -> None:
        with self._change:
            self._taken -= pixels
            self._change.notify_all()
