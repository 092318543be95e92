"""Times an export to OpenVINO against its .pt, as both would answer requests."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.cpu import cpu_name
from app.core.exports import PYTORCH, RunTimes
from app.worker.serving.engines import CPU, Engine, Export, OpenVinoEngine

IMAGES, ROUNDS = 3, 7


def run_times(weights: Path, exports: Sequence[Export], images: Sequence[Path]) -> RunTimes:
    """The times of each, one after the other in each round: other work on the machine then slows all of them, and the
    shape of the images counts (a .pt takes a wide image as a wide one, an export pads it to the whole square).

    Args:
        exports: the same one in different precisions.
        images: of which the first IMAGES are run.

    Raises:
        BadModel: the .pt cannot be used.
        BadExport: the export cannot.
    """
    from ultralytics.utils.patches import imread

    engines = {PYTORCH: Engine(str(weights), CPU)}
    engines |= {export.precision: OpenVinoEngine(export) for export in exports}
    pictures = [picture for picture in map(imread, map(str, images[:IMAGES])) if picture is not None]
    return {"cpu": cpu_name(), "ms": medians(engines, pictures)}


def medians(engines: Mapping[str, Engine], pictures: Sequence[Any]) -> dict[str, float]:
    """The median of each engine over the rounds, ms. An engine's first image of a round warms it up and does not
    count: until then threads of the one before may be spinning."""
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            _, *rest = [engine.run([picture], 0.5, 0.7)[0] for picture in [pictures[0], *pictures]]
            times[name].append(statistics.mean(result.speed["inference"] for result in rest))
    return {name: round(statistics.median(values), 2) for name, values in times.items()}
