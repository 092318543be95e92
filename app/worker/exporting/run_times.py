"""Times an export to OpenVINO against its .pt, as both would serve requests."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.cpu import cpu_name
from app.core.exports import PYTORCH, RunTimes
from app.worker.serving.engines import CPU, Engine, Export, OpenVinoEngine

IMAGES, ROUNDS = 3, 7


def run_times(weights: Path, exports: Sequence[Export], images: Sequence[Path]) -> RunTimes:
    """The latency of each, alternating in each round: other processes then slow all of them equally. The images keep
    their aspect ratio, which matters: a .pt runs a wide image as such, an export pads it to a square.

    Args:
        exports: the same export in different precisions.
        images: the first IMAGES are run.

    Raises:
        BadModel: the .pt cannot be used.
        BadExport: the export cannot be used.
    """
    from ultralytics.utils.patches import imread

    engines = {PYTORCH: Engine(str(weights), CPU)}
    engines |= {export.precision: OpenVinoEngine(export) for export in exports}
    pictures = [picture for picture in map(imread, map(str, images[:IMAGES])) if picture is not None]
    return {"cpu": cpu_name(), "ms": medians(engines, pictures)}


def medians(engines: Mapping[str, Engine], pictures: Sequence[Any]) -> dict[str, float]:
    """The median latency of each engine over the rounds, ms. An engine's first image in a round is not timed: threads
    of the previous engine may still be busy-waiting.
    """
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            _, *rest = [engine.run([picture], 0.5, 0.7)[0] for picture in [pictures[0], *pictures]]
            times[name].append(statistics.mean(result.speed["inference"] for result in rest))
    return {name: round(statistics.median(values), 2) for name, values in times.items()}
