"""Warns of unusual values of a new training. Nothing is refused here; each warning names a possible change."""

from collections.abc import Iterator
from typing import Any, TypedDict

from app.core.image_size import STRIDE, rounded
from app.core.train import TrainingParams
from app.i18n import decimal
from app.services.trainer.advise import texts
from app.services.trainer.advise.facts import Facts
from app.services.trainer.advise.memory import LIMIT, SIZES, largest_batch, needed_bytes
from app.services.trainer.advise.presets import CELL, FROM_SCRATCH, GOALS, epochs_for, size_for
from app.services.trainer.learning import iterations

FEW_STEPS, MANY_EPOCHS = 100, 1000
ENLARGED = 1.5  # times the images' own size
FEW_PICTURES, FEW_VAL, FEW_OBJECTS = 100, 30, 10
RATE_HIGH = {"SGD": 0.05, "MuSGD": 0.05}  # beyond the values of ultralytics and its papers
RATE_HIGH_ADAM = 0.005
SLOW = 8.0  # times the work of nano: a CPU would take days


class Change(TypedDict):
    """A suggested value."""

    field: str
    value: Any


class RequestWarning(TypedDict):
    """A warning; `change` None: no value of the form solves it."""

    field: str
    code: str
    message: str
    change: Change | None


class RunValues(TypedDict):
    """The chosen values; `learning_rate` None: automatic; `scratch`: without pretrained weights."""

    epochs: int
    batch_size: int
    img_size: int
    learning_rate: float | None
    params: TrainingParams
    scratch: bool


Warnings = Iterator[RequestWarning]


def check(values: RunValues, version: str, facts: Facts) -> list[RequestWarning]:
    """All warnings.

    Args:
        version: the size of the model, n to x; other models' memory is not judged.
    """
    warnings: list[RequestWarning] = []
    for rule in (memory, batch, size, epochs, rate, model, data):
        warnings += rule(values, version, facts)
    return warnings


def warning(field: str, code: str, change: Any = None, **data: Any) -> RequestWarning:
    instead: Change | None = {"field": field, "value": change} if change else None
    return {"field": field, "code": code, "message": texts.warning(code, **data), "change": instead}


def memory(values: RunValues, version: str, facts: Facts) -> Warnings:
    """The batch against the device's memory; not for a device chosen by the user, whose memory is unknown."""
    machine, chosen = facts.machine, values["params"].get("device", "auto")
    if version not in SIZES or chosen not in {"auto", machine.device}:
        return
    batch = values["batch_size"]
    wants = needed_bytes(version, values["img_size"], batch, machine.gpu)
    if wants <= machine.memory * LIMIT:
        return
    fits = largest_batch(version, values["img_size"], machine.memory, machine.gpu, LIMIT, most=batch)
    smaller = (
        fits
        if fits < batch and needed_bytes(version, values["img_size"], fits, machine.gpu) <= machine.memory * LIMIT
        else None
    )
    code = "batch_memory" if smaller else "memory"
    yield warning(
        "batch_size",
        code,
        smaller,
        batch=batch,
        needed=texts.gigabytes(wants),
        memory=texts.gigabytes(machine.memory),
        fits=smaller,
    )


def batch(values: RunValues, _version: str, facts: Facts) -> Warnings:
    """A single iteration per epoch is no training; batch normalization needs several images."""
    if 0 < facts.train < values["batch_size"]:
        yield warning(
            "batch_size", "batch_dataset", max(1, facts.train // 4), batch=values["batch_size"], images=facts.train
        )
    elif values["batch_size"] < 4 and facts.train >= 16:
        yield warning("batch_size", "batch_small", 4, batch=values["batch_size"])


def size(values: RunValues, _version: str, facts: Facts) -> Warnings:
    """The image size against its stride, the objects and the images."""
    side = values["img_size"]
    if side % STRIDE:
        yield warning("img_size", "size_stride", rounded(side), size=side, rounded=rounded(side))
    sizes = facts.sizes
    if sizes is None or facts.task == "classify":
        return
    native = rounded(sizes.picture)
    if sizes.small and sizes.small * side < CELL and side < native:
        better = min(native, size_for(facts, 1.0) or native)
        yield warning("img_size", "size_objects", better, size=side, side=round(sizes.small * side, 1), better=better)
    if side > native * ENLARGED:
        yield warning("img_size", "size_enlarged", native, size=side, picture=sizes.picture)


def epochs(values: RunValues, _version: str, facts: Facts) -> Warnings:
    """Too few iterations to learn anything, by the quick preset; or so many epochs that early stopping must be
    intended.
    """
    steps = iterations(facts.train, values["batch_size"], values["params"])
    if values["epochs"] * steps < FEW_STEPS:
        quick = (FROM_SCRATCH if values["scratch"] else GOALS)["quick"]
        enough = max(epochs_for(quick, steps), -(-FEW_STEPS // steps))
        yield warning("epochs", "epochs_few", enough, steps=values["epochs"] * steps)
    elif values["epochs"] > MANY_EPOCHS:
        yield warning("epochs", "epochs_many", None, epochs=values["epochs"])


def rate(values: RunValues, _version: str, _facts: Facts) -> Warnings:
    """A rate beyond the optimizer's stable range."""
    learning_rate, name = values.get("learning_rate"), values["params"].get("optimizer", "auto")
    if learning_rate is None:
        return
    limit = RATE_HIGH.get(name, RATE_HIGH["SGD"] if name == "auto" else RATE_HIGH_ADAM)
    if learning_rate > limit:
        yield warning("learning_rate", "rate_high", limit / 5, rate=decimal(learning_rate), usual=decimal(limit / 5))


def model(values: RunValues, version: str, facts: Facts) -> Warnings:
    """A large model on a CPU, or for few images."""
    if version not in SIZES:
        return
    on_cpu = not facts.machine.gpu or values["params"].get("device") == "cpu"
    work = SIZES[version].flops / SIZES["n"].flops
    if on_cpu and work >= SLOW:
        yield warning("model_version", "model_slow", "n", model=f"YOLOv8{version}", times=round(work))
    if version in "lx" and facts.train < FEW_PICTURES:
        yield warning("model_version", "model_few", "s", images=facts.train)


def data(_values: RunValues, _version: str, facts: Facts) -> Warnings:
    """Properties of the dataset that no value of the form changes."""
    if facts.val < FEW_VAL:
        yield warning("dataset_id", "val_few" if facts.val else "val_none", None, images=facts.val)
    if facts.boxes:
        rare = [name for number, name in enumerate(facts.classes) if facts.boxes.get(number, 0) < FEW_OBJECTS]
        if rare:
            named = ", ".join(rare[:5]) + (" …" if len(rare) > 5 else "")
            yield warning("dataset_id", "classes_rare", None, names=named, few=FEW_OBJECTS)
