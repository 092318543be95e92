"""The coach: finds problems in the recorded epochs of a run. Pure functions.

Each rule receives the run so far, oldest first, and returns the data of its sentence, or None. Thresholds were
calibrated on the recorded runs in tests/recorded and are explained in the wiki (Metricas).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from app.core.metrics import EpochFigures
from app.core.text_data import TextData

Epochs = Sequence[EpochFigures]
Figure = Literal["loss", "val_loss", "map50", "fitness", "learning_rate"]

RECENT = 5  # epochs that determine the present state
WAITING = 0.35  # share of an epoch from which the loader is the bottleneck
EXPLODED, DOUBLED = 5.0, 2.0  # times the lowest loss so far: in one epoch, in two consecutive ones
BLOWN = 100.0  # times the train loss: a larger validation loss means too large steps
RISE = 1.1  # factor from which a loss has risen beyond noise
LEARNED = 0.1  # mAP50 required before overfitting or a plateau is reported
GAIN = 0.005  # smallest improvement of fitness
DETECTED = 0.01  # AP50 below which a class is not detected
BEST_DETECTED = 0.3  # AP50 of the best class required to report an undetected one
FEW = 10  # validation boxes required to judge a class
AGAIN = 50  # epochs before a problem that had disappeared is reported again


@dataclass(frozen=True)
class Advice:
    """Advice at an epoch; `data` fills the placeholders of its code's text."""

    code: str
    level: str  # info or warning
    epoch: int
    data: TextData


def advise(epochs: Epochs, planned: int, last_advised: Mapping[str, int]) -> list[Advice]:
    """The advice at the last of the epochs.

    Args:
        epochs: the run so far, or its latest part; `planned`: its total number.
        last_advised: by code, the epoch of its last advice in this run.
    """
    matches = {code: data for code, rule in RULES.items() if (data := rule(epochs, planned)) is not None}
    now = epochs[-1]["epoch"]
    lately = {code for code, epoch in last_advised.items() if now - epoch < AGAIN}
    return [
        Advice(code, LEVELS.get(code, "warning"), now, data)
        for code, data in matches.items()
        if not EXPLAINED_BY.get(code, set()) & (matches.keys() | lately)
        and (code not in last_advised or came_back(RULES[code], epochs, planned, last_advised[code]))
    ]


def came_back(rule: "Rule", epochs: Epochs, planned: int, last_advised: int) -> bool:
    """Whether a problem has returned: its last advice is long ago, and it was absent in between."""
    if epochs[-1]["epoch"] - last_advised < AGAIN:
        return False
    counts = [count for count, item in enumerate(epochs, 1) if item["epoch"] > last_advised][::RECENT]
    return any(rule(epochs[:count], planned) is None for count in counts)


def loader_bound(epochs: Epochs, _planned: int) -> TextData | None:
    """Waiting for images takes a large share of most recent epochs; the first epoch fills caches and is ignored."""
    shares = [
        item["timing"]["load"] / item["seconds"]
        for item in epochs[-RECENT:]
        if item["epoch"] > 1 and item["seconds"] and "load" in (item["timing"] or {})
    ]
    if len(shares) < 3 or median(shares) <= WAITING:
        return None
    return {"percent": round(100 * median(shares))}


def diverging(epochs: Epochs, _planned: int) -> TextData | None:
    """The loss is not a number, or many times its minimum."""
    last, rate = epochs[-1], significant(epochs[-1]["learning_rate"])
    if last["loss"] is None or None in (last["parts"] or {}).values():
        return {"now": None, "learning_rate": rate}
    losses = numbers(assigned(epochs), "loss")
    lowest = min(losses[:-1], default=losses[-1])
    doubled = len(losses) > 2 and min(losses[-2:]) > DOUBLED * min(losses[:-2])
    if losses[-1] > EXPLODED * lowest or doubled:
        return {"best": significant(lowest), "now": significant(losses[-1]), "learning_rate": rate}
    return None


def assigned(epochs: Epochs) -> Epochs:
    """Without the first epochs, in which the train loss increases while the validation loss decreases.

    From scratch, above all on small images, hardly any prediction matches an object at first; the loss covers those
    that do, and increases with their number. That is learning, not divergence.
    """
    start = 0
    for index in range(1, len(epochs)):
        loss, val_loss, first = epochs[index]["loss"], epochs[index]["val_loss"], epochs[start]["loss"]
        before = numbers(epochs[:index], "val_loss")
        if loss is None or val_loss is None or first is None:
            break
        if loss <= first or len(before) < index or val_loss >= min(before):
            break
        start = index
    return epochs[start:]


def learning_rate_high(epochs: Epochs, planned: int) -> TextData | None:
    """While the rate is near its maximum, the validation loss is many times the train loss."""
    high = at_full_rate(epochs)
    if len(high) < 3 or high[-1] is not epochs[-1] or len(high) > max(15, planned // 5):
        return None
    recent = [
        (item["val_loss"], item["loss"])
        for item in high[-RECENT:]
        if item["val_loss"] is not None and item["loss"] is not None
    ]
    if sum(val_loss > BLOWN * loss > 0 for val_loss, loss in recent) < 2:
        return None
    rate = max(numbers(epochs, "learning_rate"))
    return {"learning_rate": significant(rate), "lower": significant(rate / 10)}


def at_full_rate(epochs: Epochs) -> Epochs:
    """The epochs since the end of warmup, while the rate is at least half of its maximum; none while it rises."""
    rates = [item["learning_rate"] or 0.0 for item in epochs]
    top = rates.index(max(rates))
    return [item for item, rate in zip(epochs[top:], rates[top:], strict=True) if rate >= max(rates) / 2]


def overfitting(epochs: Epochs, planned: int) -> TextData | None:
    """The validation loss has left its minimum while the train loss kept decreasing, and the result has not improved.

    All by medians over a window, so that single epochs do not matter.
    """
    complete = [item for item in learned(epochs) if None not in (item["loss"], item["val_loss"], item["fitness"])]
    window = max(RECENT, len(complete) // 6)
    if len(complete) < max(2 * window, planned // 3) or max(numbers(complete, "map50"), default=0) < LEARNED:
        return None
    steps = range(len(complete), window - 1, -max(1, window // 5))
    windows = [complete[index - window : index] for index in steps]
    val = [median(numbers(part, "val_loss")) for part in windows]
    train = [median(numbers(part, "loss")) for part in windows]
    fitness = [median(numbers(part, "fitness")) for part in windows]
    lowest = val.index(min(val))
    grown = val[0] > RISE * val[lowest] and train[0] < train[lowest]
    if not grown or fitness[0] > max(fitness[1:]) + GAIN:
        return None
    return {"since": complete[steps[lowest] - 1]["epoch"], "best": significant(val[lowest]), "now": significant(val[0])}


def learned(epochs: Epochs) -> Epochs:
    """The epochs since the model first detected something: before, its validation loss covers too few predictions."""
    first = next((index for index, item in enumerate(epochs) if (item["map50"] or 0.0) >= LEARNED), len(epochs))
    return epochs[first:]


def plateau(epochs: Epochs, planned: int) -> TextData | None:
    """The fitness has not improved for a fifth of the run, and for at least 15 epochs."""
    fitness = numbers(epochs, "fitness")
    patience = min(max(planned // 5, 15), 50)
    if len(fitness) < patience + RECENT or max(numbers(epochs, "map50"), default=0) < LEARNED:
        return None
    before, since = max(smooth(fitness[:-patience])), max(smooth(fitness[-patience:]))
    return {"epochs": patience, "value": significant(max(fitness))} if since < before + GAIN else None


def class_never_predicted(epochs: Epochs, planned: int) -> TextData | None:
    """After a quarter of the run, a class with enough examples is still not detected, while others are."""
    recent = [{row["class"]: row for row in item["classes"] or []} for item in epochs[-2 * RECENT :]]
    if epochs[-1]["epoch"] < max(10, planned // 4) or len(recent) < RECENT or not all(recent):
        return None
    if min(max(row["ap50"] or 0 for row in rows.values()) for rows in recent[-RECENT:]) < BEST_DETECTED:
        return None
    missed = [
        row
        for index, row in recent[-1].items()
        if row["instances"] >= FEW and max(rows.get(index, row)["ap50"] or 0 for rows in recent) < DETECTED
    ]
    if not missed:
        return None
    return {"classes": [row["class"] for row in missed], "instances": sum(row["instances"] for row in missed)}


def numbers(epochs: Epochs, name: Figure) -> list[float]:
    return [value for item in epochs if (value := item[name]) is not None]


def smooth(values: Sequence[float]) -> list[float]:
    """Medians of three."""
    return [median(values[max(0, index - 1) : index + 2]) for index in range(len(values))]


def significant(value: float | None) -> float | None:
    """Three significant digits."""
    return None if value is None else float(f"{value:.3g}")


Rule = Callable[[Epochs, int], TextData | None]
RULES: dict[str, Rule] = {
    "diverging": diverging,
    "learning_rate_high": learning_rate_high,
    "loader_bound": loader_bound,
    "class_never_predicted": class_never_predicted,
    "overfitting": overfitting,
    "plateau": plateau,
}
LEVELS = {"plateau": "info", "loader_bound": "info"}
# Consequences of another problem are not reported beside it.
EXPLAINED_BY = {
    "learning_rate_high": {"diverging"},
    "class_never_predicted": {"diverging", "learning_rate_high"},
    "overfitting": {"diverging", "learning_rate_high"},
    "plateau": {"diverging", "learning_rate_high", "overfitting"},
}
