"""Decodes images of several users so that a slow one delays no other.

Each image gets a little time first, more than honest ones need. What needs more goes to a lane of its own: one at a
time, and only a few may wait there.
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

SHARE = 0.1  # of the time that an image may take, at first
MOST_SLOW = 4  # images in the slow lane
TURN_S, WALL_S = 50.0, 45.0  # until its turn, and by the wall; together less than whoever asks waits


class SlowTurn:
    """Places in the slow lane."""

    def __init__(self) -> None:
        self._waiting, self._turn = threading.BoundedSemaphore(MOST_SLOW), threading.Lock()

    @contextmanager
    def acquired(self) -> Iterator[None]:
        """Hold the slow lane while an image is decoded.

        Raises:
            BadPicture: `busy`, others wait already, or one of them takes too long.
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
    """Decodes images; threads may share it. Forks its processes when it is made: before torch is loaded.

    Args:
        max_pixels: of one image, and of all that are decoded and not given back.
        seconds: of processor time for one image.
        count: images that are decoded at the same time, beside the one that takes long.
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
        """The image; its pixels are taken from the budget until the block ends.

        Args:
            coming: held while it is decoded, where that does not take long.

        Raises:
            BadPicture: as `read_confined`, and `busy`: too many images take long.
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
    """More time than an image gets at first."""
