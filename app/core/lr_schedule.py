"""The learning rate over the epochs of a run, relative to the initial one, without warmup."""

import math
from collections.abc import Callable

Factor = Callable[[int], float]  # by epoch, from 0

LRF = 0.01  # ultralytics' default: the final rate relative to the initial one


def schedule(cosine: bool, last: float, epochs: int) -> Factor:
    """ultralytics' own schedule (8.4, engine/trainer.py `_setup_scheduler`): from 1 to `last` over `epochs`, linear or
    cosine.
    """
    if cosine:
        return lambda epoch: max((1 - math.cos(epoch * math.pi / epochs)) / 2, 0) * (last - 1) + 1
    return lambda epoch: max(1 - epoch / epochs, 0) * (1.0 - last) + last
