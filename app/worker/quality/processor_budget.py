"""Limits the total CPU time for the images of a dataset: an excessive one is detected early, and delays no other
dataset.
"""

import threading

from app.worker.decoders import ORDINARY, DecodeLimits

# Allowed total beyond the maximum for images of their size, in multiples of Limits.seconds.
BUDGET = 10.0
HURRY = 1.0  # if other imports wait
USUAL = 0.5  # share of an image's limit that no legitimate image exceeds
LITTLE = 0.02  # share of it for any image


class TooCostlyTogether(Exception):
    """The images take far more CPU time than others of their size. `limit`: in seconds."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"more than {limit:.0f} s beyond what images of their size take")
        self.limit = limit


class ProcessorBudget:
    """The CPU time of images beyond what their size explains; thread-safe.

    Args:
        limits: per image.
        hurry: whether a smaller total ends the import.
    """

    def __init__(self, limits: DecodeLimits, hurry: bool = False) -> None:
        self.limits, self.most = limits, (HURRY if hurry else BUDGET) * limits.seconds
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add(self, pixels: int, seconds: float) -> None:
        """Add the seconds of a slow image.

        Raises:
            TooCostlyTogether: the total is exceeded.
        """
        usual = self.limits.seconds * (LITTLE + USUAL * pixels / ORDINARY)
        with self._lock:
            self.seconds += max(0.0, seconds - usual)
            if self.seconds > self.most:
                raise TooCostlyTogether(self.most)
