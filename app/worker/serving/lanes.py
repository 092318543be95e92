"""Decodes images of several users so that a slow one does not delay the others.

Each image first gets a little time, more than legitimate ones need. One that needs more goes to the slow lane: one at a
time, with few waiting.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy  # noqa: F401 (before the decoders are forked: the little time that an image gets first is not for this)
from PIL import Image

from app.worker.decoders import DecodeLimits, DecoderPool, OverLimit
from app.worker.picture import BadPicture, read_confined
from app.worker.serving.pixels import PixelBudget

SHARE = 0.1  # share of an image's time limit, at first
MOST_SLOW = 4  # images in the slow lane
TURN_S, WALL_S = 50.0, 45.0  # wait for its turn, and wall time; together less than the request's timeout


class SlowTurn:
    """The slots of the slow lane."""

    def __init__(self) -> None:
        self._waiting, self._turn = threading.BoundedSemaphore(MOST_SLOW), threading.Lock()

    @contextmanager
    def acquired(self) -> Iterator[None]:
        """Hold the slow lane while an image is decoded.

        Raises:
            BadPicture: `busy`: too many wait, or one of them takes too long.
        """
        if not self._waiting.acquire(blocking=False):
            raise BadPicture("busy", "the slow lane is full")
        try:
            if not self._turn.acquire(timeout=TURN_S):
                raise BadPicture("busy", "others take too long")
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._waiting.release()


class Lanes:
    """Decodes images; thread-safe. It forks its processes when created, which must be before torch is loaded.

    Args:
        max_pixels: per image, and of all decoded images in use.
        seconds: CPU time per image.
        count: parallel decodings, besides the slow one.
    """

    def __init__(self, max_pixels: int, seconds: float, count: int) -> None:
        self.max_pixels, self.slow_turn = max_pixels, SlowTurn()
        self.budget = PixelBudget(max_pixels, count)
        self.quick, self.slow = (
            DecoderPool(number, DecodeLimits.of(max_pixels, time, WALL_S))
            for number, time in ((count, seconds * SHARE), (1, seconds))
        )

    @contextmanager
    def picture(
        self, path: Path, coming: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Iterator[Image.Image]:
        """The image; its pixels are reserved in the budget until the block ends.

        Args:
            coming: entered while the image is decoded, unless that takes long.

        Raises:
            BadPicture: as `read_confined`, and `busy`: too many slow images.
        """
        decoded = self._decoded(path, coming)
        try:
            yield decoded
        finally:
            self.budget.release(decoded.width * decoded.height)

    def _decoded(self, path: Path, coming: Callable[[], AbstractContextManager[None]]) -> Image.Image:
        try:
            with self.budget.decoding(), coming():
                return self._reserved(read_confined(path, self.max_pixels, self._quickly))
        except SlowImage:
            with self.slow_turn.acquired():
                return self._reserved(read_confined(path, self.max_pixels, self.slow.run))

    def _quickly(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return self.quick.run(function, *args)
        except OverLimit as error:
            if error.what == "time":
                raise SlowImage from error
            raise

    def _reserved(self, picture: Image.Image) -> Image.Image:
        self.budget.acquire(picture.width * picture.height)
        return picture


class SlowImage(Exception):
    """An image needs more time than the first share."""
