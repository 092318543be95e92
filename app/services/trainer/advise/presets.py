"""The three presets for a new training: their values for this dataset on this machine, with reasons."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.image_size import rounded
from app.schemas.defaults import DefaultsOutValues, PresetOutValues
from app.services.trainer.advise import texts
from app.services.trainer.advise.facts import Facts, facts_of
from app.services.trainer.advise.facts import facts_view as shown
from app.services.trainer.advise.memory import largest_batch
from app.services.trainer.architectures import SUFFIXES
from app.services.trainer.choose import CLASSIFY_SIZE

CELL = 8  # px: the finest grid of YOLOv8's head (P3); a smaller object shares its cell with the background
COMFORT = 1.5  # cells that a small object should cover
SMALLEST, LARGEST = 320, 1280
USUAL = 640  # image size of the pretrained weights
FEW_STEPS = 4  # minimum number of iterations per epoch
GIGABYTE = 1e9


@dataclass(frozen=True)
class PresetGoal:
    """The goal of a preset: iterations (as epochs within bounds), and the size of small objects."""

    steps: int
    fewest: int
    most: int
    cells: float  # that a small object should cover


GOALS = {
    "quick": PresetGoal(steps=300, fewest=5, most=30, cells=1.0),
    "balanced": PresetGoal(steps=5_000, fewest=50, most=200, cells=COMFORT),
    "best": PresetGoal(steps=15_000, fewest=100, most=400, cells=2.0),
}


FROM_SCRATCH = {  # without pretrained weights, three times as many iterations are needed
    "quick": PresetGoal(steps=900, fewest=15, most=90, cells=1.0),
    "balanced": PresetGoal(steps=15_000, fewest=100, most=300, cells=COMFORT),
    "best": PresetGoal(steps=45_000, fewest=200, most=600, cells=2.0),
}
# Whether a model (yolov8n-seg) has pretrained weights; None: not known yet.
HasWeights = Callable[[str], bool | None]


def presets(facts: Facts, has_weights: HasWeights = lambda _model: True) -> list[PresetOutValues]:
    """Each preset with its values, and a reason for each value."""
    return [preset(name, facts, has_weights) for name in GOALS]


def preset(name: str, facts: Facts, has_weights: HasWeights) -> PresetOutValues:
    """One preset of the new-training page, with the reason for each value."""
    version, why_version = model(name, facts)
    weights = has_weights(f"yolov8{version}{SUFFIXES.get(facts.task, '')}")
    scratch = weights is False
    goal = (FROM_SCRATCH if scratch else GOALS)[name]
    size, why_size = img_size(name, goal, facts)
    batch, why_batch = batch_size(version, size, facts)
    epochs, why_epochs = epoch_count(goal, batch, facts, scratch)
    title, text = texts.preset(name)
    reasons = {"model_version": why_version, "img_size": why_size, "batch_size": why_batch, "epochs": why_epochs}
    reasons["learning_rate"] = texts.reason("rate_automatic")
    return {
        "name": name,
        "title": title,
        "description": text,
        "scratch": scratch,
        "checking": weights is None,
        "values": {"model_version": version, "img_size": size, "batch_size": batch, "epochs": epochs},
        "reasons": [{"field": key, "message": message} for key, message in reasons.items()],
    }


def size_for(facts: Facts, cells: float) -> int | None:
    """The image size at which all but a tenth of the objects cover that many cells; None if sizes are unknown."""
    if facts.sizes is None or not facts.sizes.small:
        return None
    return rounded(cells * CELL / facts.sizes.small)


def img_size(name: str, goal: PresetGoal, facts: Facts) -> tuple[int, str]:
    """As large as the small objects need, but not larger than the images."""
    if facts.task == "classify":
        return CLASSIFY_SIZE, texts.reason("size_classify")
    usual = SMALLEST if name == "quick" else USUAL
    if facts.sizes is None:
        return usual, texts.reason("size_quick" if name == "quick" else "size_unknown", size=usual)
    native = min(LARGEST, rounded(facts.sizes.picture))
    needed = size_for(facts, goal.cells)
    if needed is not None and needed > usual and usual < native:
        size = min(native, needed)
        side = round(facts.sizes.small * size) if facts.sizes.small else 0
        return size, texts.reason("size_small_objects", size=size, side=side)
    if native <= usual:
        return native, texts.reason("size_native", size=native, picture=facts.sizes.picture)
    return usual, texts.reason("size_quick" if name == "quick" else "size_usual", size=usual)


def model(name: str, facts: Facts) -> tuple[str, str]:
    """The model size: by the GPU's memory and the number of images; small ones on a CPU."""
    machine = facts.machine
    if not machine.gpu:
        return ("s", texts.reason("model_cpu_best")) if name == "best" else ("n", texts.reason("model_cpu"))
    memory = machine.memory / GIGABYTE
    few = facts.train < 500
    if name == "quick":
        return "n", texts.reason("model_quick")
    if name == "balanced":
        version = "n" if memory < 6 else "s" if memory < 14 or few else "m"
    else:
        version = (
            "s" if memory < 6 else "m" if memory < 14 or few else "l" if memory < 30 or facts.train < 5000 else "x"
        )
    return version, texts.reason(
        "model_few" if few and memory >= 14 else "model_gpu",
        gpu=machine.name,
        memory=texts.gigabytes(machine.memory),
        images=facts.train,
    )


def batch_size(version: str, size: int, facts: Facts) -> tuple[int, str]:
    """The largest batch that fits into memory with a margin, and leaves an epoch some iterations."""
    machine = facts.machine
    most = 64 if machine.gpu else 16
    fits = largest_batch(version, size, machine.memory, machine.gpu, most=most)
    enough = 2 ** max(0, int(math.log2(max(1, facts.train // FEW_STEPS))))
    if enough < fits:
        return enough, texts.reason("batch_few", images=facts.train, batch=enough)
    if not machine.gpu and fits == most:
        return fits, texts.reason("batch_cpu", batch=fits)
    return fits, texts.reason("batch_memory", batch=fits, memory=texts.gigabytes(machine.memory))


def epoch_count(goal: PresetGoal, batch: int, facts: Facts, scratch: bool = False) -> tuple[int, str]:
    """The number of epochs with the goal's number of iterations, within bounds."""
    steps = max(1, -(-facts.train // batch))
    epochs = epochs_for(goal, steps)
    return epochs, texts.reason(
        "epochs_scratch" if scratch else "epochs", epochs=epochs, steps=steps, all=epochs * steps
    )


def epochs_for(goal: PresetGoal, steps: int) -> int:
    """The number of epochs with so many iterations each."""
    return min(goal.most, max(goal.fewest, round(goal.steps / steps / 5) * 5))


def defaults(dataset: Any, has_weights: HasWeights = lambda _model: True) -> DefaultsOutValues:
    """The presets for a dataset on this machine, and the underlying facts."""
    facts = facts_of(dataset)
    return {"recommended": "balanced", "presets": presets(facts, has_weights), "facts": shown(facts)}
