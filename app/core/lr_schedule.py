"""The learning rate over the epochs of a run, as a fraction of the first one, without warm-up."""

import math
from collections.abc import Callable

Factor = Callable[[int], float]  # of an epoch, from 0

LRF = 0.01  # ultralytics' own: the last rate as a part of the first


def schedule(cosine: bool, last: float, epochs: int) -> Factor:
    """ultralytics' own schedule (8.4, engine/trainer.py `_setup_scheduler`): from 1 down to `last`, linear or along a
    cosine, over so many epochs."""
    if cosine:
        return lambda epoch: max((1 - math.cos(epoch * math.pi / epochs)) / 2, 0) * (last - 1) + 1
    return lambda epoch: max(1 - epoch / epochs, 0) * (1.0 - last) + last
