"""How much processor time the images of a dataset take together: one that takes far too much is detected soon, and
delays no other dataset."""

import threading

from app.worker.decoders import ORDINARY, DecodeLimits

# What all images may take beyond what images of their size take at most, in Limits.seconds.
BUDGET = 10.0
HURRY = 1.0  # where others wait for its place
USUAL = 0.5  # of the time that an image may take: more than any honest one needs
LITTLE = 0.02  # of it, of any image


class TooCostlyTogether(Exception):
    """The images take far more processor time than others of their size. `limit`: in seconds."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"more than {limit:.0f} s beyond what images of their size take")
        self.limit = limit


class ProcessorBudget:
    """The processor time that images took beyond what their size explains; threads may share it.

    Args:
        limits: of each image.
        hurry: whether little is enough to end it.
    """

    def __init__(self, limits: DecodeLimits, hurry: bool = False) -> None:
        self.limits, self.most = limits, (HURRY if hurry else BUDGET) * limits.seconds
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add(self, pixels: int, seconds: float) -> None:
        """Count the seconds of an image that took longer than usual.

        Raises:
            TooCostlyTogether: that was too much.
        """
        usual = self.limits.seconds * (LITTLE + USUAL * pixels / ORDINARY)
        with self._lock:
            self.seconds += max(0.0, seconds - usual)
            if self.seconds > self.most:
                raise TooCostlyTogether(self.most)
