"""Prevents plots from ending a training: one that fails is logged and skipped.

matplotlib parses text between two dollar signs as math, and raises on "$\frac$", after the last epoch.
"""

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib

logger = logging.getLogger("ultralytics")

TRAINER = ("plot_training_samples", "plot_training_labels", "plot_metrics")
VALIDATOR = ("plot_val_samples", "plot_predictions")
MATRIX = ("plot", "plot_matches")
METRICS = ("plot_pr_curve", "plot_mc_curve")


def harmless(draw: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A wrapper that logs failures; running out of memory is raised, since it affects the training too."""

    @functools.wraps(draw)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        try:
            return draw(*args, **kwargs)
        except MemoryError:
            raise
        except Exception as error:
            if "out of memory" in str(error).lower():
                raise
            logger.warning("A plot could not be drawn (%s): %s: %s", name, type(error).__name__, error)
            close()
            return None

    attempt.__dict__["harmless"] = True
    return attempt


def close() -> None:
    """Close figures that a failed plot left open."""
    from matplotlib import pyplot

    pyplot.close("all")


def wrap(owner: Any, names: Iterable[str]) -> None:
    """Wrap these functions of a class or module, if it has them and they are not wrapped yet."""
    for name in names:
        draw = vars(owner).get(name)
        if callable(draw) and not getattr(draw, "harmless", False):
            setattr(owner, name, harmless(draw, name))


def install() -> None:
    """Wrap the plots of every trainer and validator of ultralytics, once per process."""
    from ultralytics.engine.trainer import BaseTrainer
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils import metrics

    matplotlib.rcParams["text.parse_math"] = False
    wrap(metrics, METRICS)
    wrap(metrics.ConfusionMatrix, MATRIX)
    bases: tuple[tuple[type, tuple[str, ...]], ...] = ((BaseTrainer, TRAINER), (BaseValidator, VALIDATOR))
    for base, names in bases:
        kinds: list[type] = [base, *subclasses(base)]
        for kind in kinds:
            wrap(kind, names)


def subclasses(base: type) -> Iterable[type]:
    kinds: list[type] = base.__subclasses__()
    for kind in kinds:
        yield kind
        yield from subclasses(kind)
