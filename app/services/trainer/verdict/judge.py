"""Judges an ended training, as data. Pure functions of RunFacts; the sentences are in texts.py."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

from app.core.final_evaluation import FinalEvaluation
from app.core.metrics import ClassMetrics, EpochFigures
from app.services.trainer.learning import ENOUGH, Schedule, why_nothing
from app.services.trainer.levels import LEVELS, level_of, main_metric, main_value, margin_of
from app.services.trainer.thresholds import worth
from app.services.trainer.verdict.parts import (
    Cause,
    Certainty,
    Confusion,
    NextStep,
    StepData,
    Verdict,
    VerdictMetric,
    WeakestClass,
)

Step = tuple[str, str, StepData]  # code of its sentence, action (see ACTIONS in schemas/verdict.py), data

FEW_OBJECTS = 50  # objects of a class in the training set, below which they are the usual cause of a weak class
WIDE = 0.1  # margin from which the validation set is too small to rely on
MOST_EPOCHS = 300  # proposed at once
LATE = 0.9  # share of the run after which a best epoch means that the model was still improving
CONFUSED = 0.1  # share of a class's objects confused with one other class: its labels may be inconsistent
OF_CLASSES = {"few_iterations": "few_classify", "labels": "labels_classify"}  # variants of causes for classification
WRONG = {"labels", "labels_classify", "learning_rate"}  # causes that more epochs would not remove
GAP = 0.15  # AP50: a class this far below the mean becomes a next step


class BestEpoch(TypedDict):
    """The best epoch; None: it was no number, or the task has none."""

    epoch: int
    map50: float | None
    map95: float | None
    precision: float | None
    recall: float | None
    parts: Mapping[str, float | None]
    classes: list[ClassMetrics]
    timestamp: datetime


@dataclass(frozen=True)
class RunFacts:
    """An ended training.

    Attributes:
        names: of the classes.
        best: the best epoch; None: no epoch is complete.
        epochs: the latest ones, oldest first.
        evaluation: from its file, if there is one.
        planned, done: epochs.
        objects: in the training split by class; empty: not counted.
        advice: codes of the coach's advice.
        weights: whether the file exists.
        actions: allowed now.
        uploaded: whether its weights were trained elsewhere.
    """

    task: str
    status: str
    names: Sequence[str]
    best: BestEpoch | None
    epochs: Sequence[EpochFigures]
    planned: int
    done: int
    schedule: Schedule
    val_images: int
    weights: bool
    evaluation: FinalEvaluation | None = None
    objects: Mapping[int, int] = field(default_factory=dict)
    advice: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    error_kind: str | None = None
    uploaded: bool = False

    def name(self, index: int) -> str:
        return self.names[index] if index < len(self.names) else str(index)

    @property
    def classes(self) -> Sequence[ClassMetrics]:
        """What was measured of each class in the best epoch."""
        return self.best["classes"] or [] if self.best else []


def judge(facts: RunFacts) -> Verdict:
    """The verdict: level, metric, use, weakest, confusion, certainty, cause and next, each with its data."""
    value = main_value(facts.task, facts.best)
    level = level_of(facts.task, value, len(facts.names))
    cause = cause_of(facts, level)
    weakest = weakest_of(facts) if level != "nothing" else None
    confusion = confusion_of(facts) if level != "nothing" else None
    certainty = certainty_of(facts, value)
    return {
        "status": facts.status,
        "level": level,
        "metric": metric_of(facts, value),
        "use": use_of(facts, level),
        "weakest": weakest,
        "confusion": confusion,
        "certainty": certainty,
        "cause": cause,
        "confidence": confidence_of(facts, level),
        "next": next_of(facts, level, cause, weakest, confusion, certainty),
    }


def confidence_of(facts: RunFacts, level: str | None) -> float | None:
    """The threshold to use the model with; None if it detects next to nothing."""
    best = facts.evaluation.get("best") if facts.evaluation else None
    return best["confidence"] if best and level != "nothing" and worth(best) else None


def metric_of(facts: RunFacts, value: float | None) -> VerdictMetric | None:
    if value is None or facts.best is None:
        return None
    return {"name": main_metric(facts.task), "value": value, "epoch": facts.best["epoch"]}


def use_of(facts: RunFacts, level: str | None) -> str:
    """What the model is good for, as the code of its sentence."""
    if level is None:
        return "no_weights" if not facts.weights else "uploaded" if facts.uploaded else "not_measured"
    if facts.task == "classify" or level in {"nothing", "low", "fair"}:
        return f"{'classify' if facts.task == 'classify' else 'detect'}_{level}"
    exact = facts.best["map95"] if facts.best else None
    return "detect_good" if exact is not None and exact >= LEVELS[facts.task]["map95"][0] else "detect_rough"


def cause_of(facts: RunFacts, level: str | None) -> Cause | None:
    """The cause if it learned next to nothing."""
    if level not in ({"nothing"} if facts.task == "classify" else {"nothing", "low"}):
        return None
    if level == "nothing" and facts.advice & {"diverging", "learning_rate_high"}:
        return {"code": "learning_rate", "data": {}}
    reason = why_nothing(facts.epochs, facts.schedule)
    if reason and facts.task == "classify":
        return {"code": OF_CLASSES.get(reason[0], reason[0]), "data": reason[1]}
    return {"code": reason[0], "data": reason[1]} if reason else None


def weakest_of(facts: RunFacts) -> WeakestClass | None:
    """The class with the lowest AP50, or for classification the lowest recall; None with a single class."""
    key: Literal["recall", "ap50"] = "recall" if facts.task == "classify" else "ap50"
    rows = [(value, row) for row in facts.classes if (value := row.get(key)) is not None and row.get("instances")]
    if len(rows) < 2:
        return None
    value, row = min(rows, key=lambda item: (item[0], -item[1]["instances"]))
    return {
        "class": row["class"],
        "name": facts.name(row["class"]),
        "metric": key,
        "value": value,
        "objects": row["instances"],
        "train_objects": facts.objects.get(row["class"]),
    }


def confusion_of(facts: RunFacts) -> Confusion | None:
    """The most frequent error: a class confused with another, missed objects of a class, or false positives of a class.

    None without an evaluation; `kind` "none" without errors.
    """
    if facts.evaluation is None:
        return None
    nothing = len(facts.evaluation["names"])
    predicted, actual = Counter[int](), Counter[int]()
    errors = []
    for row, column, count in facts.evaluation["matrix"]:
        predicted[row] += count
        actual[column] += count
        if row != column and count:
            errors.append((count, row, column))
    if not errors:
        return {"kind": "none"}
    count, row, column = max(errors, key=lambda item: (item[0], nothing not in item[1:]))
    kind = "missed" if row == nothing else "false_positive" if column == nothing else "confused"
    return {
        "kind": kind,
        "predicted": None if row == nothing else facts.evaluation["names"][row],
        "actual": None if column == nothing else facts.evaluation["names"][column],
        "count": count,
        "of": predicted[row] if kind == "false_positive" else actual[column],
    }


def certainty_of(facts: RunFacts, value: float | None) -> Certainty | None:
    """The number of evaluated objects (for classification, images), and the resulting margin of the main metric."""
    if value is None:
        return None
    objects = sum(row.get("instances") or 0 for row in facts.classes)
    if not objects and facts.evaluation is not None:
        objects = facts.evaluation["objects"]
    images = facts.evaluation["images"] if facts.evaluation is not None else facts.val_images
    margin = margin_of(min(max(value, 0.0), 1.0), objects)
    return {"objects": objects or None, "images": images, "margin": margin and round(margin, 4)}


def next_of(
    facts: RunFacts,
    level: str | None,
    cause: Cause | None,
    weakest: WeakestClass | None,
    confusion: Confusion | None,
    certainty: Certainty | None,
) -> list[NextStep]:
    """The next steps, most useful first; at most two."""
    steps = [*failed(facts), *unmeasured(facts, level), *from_cause(facts, cause)]
    if level in {"low", "fair", "good"} and (cause is None or cause["code"] not in WRONG):
        steps += [*improving(facts, level, weakest, confusion, certainty)]
    first: dict[str, NextStep] = {}
    for code, action, data in steps:
        first.setdefault(code, {"code": code, "action": action, "data": data})
    return list(first.values())[:2]


def failed(facts: RunFacts) -> list[Step]:
    """Steps for a failed run, by the kind of its failure."""
    if facts.status != "failed":
        return []
    match facts.error_kind:
        case "data":
            return [("see_issues", "issues", {})]
        case "out_of_memory":
            return [("smaller", "clone", {})]
        case "memory_limit":
            return [("raise_memory_limit", "retry", {})]
        case "memory_start":
            return [("free_memory", "retry", {})]
        case "disk_full":
            return [("free_disk", "system", {})]
        case "weights":
            return [("other_weights", "clone", {})]
        case "files_missing":
            return [("restore_files", "retry", {})]
    if "resume" in facts.actions:
        return [("resume", "resume", {})]
    return [("read_log", "log", {}), ("retry", "retry", {})]


def unmeasured(facts: RunFacts, level: str | None) -> list[Step]:
    """Steps for a run without metrics: stopped early, or trained elsewhere."""
    if level is not None or facts.status == "failed":
        return []
    if facts.uploaded:
        return [("evaluate", "evaluations", {}), ("try_it", "test", {})]
    return [("resume", "resume", {})] if "resume" in facts.actions else [("again", "clone", {})]


def from_cause(facts: RunFacts, cause: Cause | None) -> list[Step]:
    match cause and cause["code"]:
        case "few_iterations" | "few_classify" | "still_falling":
            return [more_epochs(facts), ("pretrained", "clone", {})] if facts.schedule.scratch else [more_epochs(facts)]
        case "labels":
            return [("check_labels", "images", {})]
        case "labels_classify":
            return [("check_folders", "images", {})]
        case "learning_rate":
            return [("lower_rate", "clone", {})]
    return []


def more_epochs(facts: RunFacts) -> Step:
    """The step to add enough epochs, in this run if possible."""
    needed = -(-ENOUGH * facts.schedule.few // max(1, facts.schedule.iterations))
    more = max(1, min(max(needed - facts.done, facts.done // 2), MOST_EPOCHS))
    if "extend" in facts.actions:
        return ("add_epochs", "extend", {"epochs": more, "iterations": facts.schedule.iterations * more})
    if "resume" in facts.actions and facts.done < facts.planned:
        return ("resume_rest", "resume", {"epochs": facts.planned - facts.done})
    return ("train_longer", "clone", {"epochs": facts.done + more})


def improving(
    facts: RunFacts,
    level: str,
    weakest: WeakestClass | None,
    confusion: Confusion | None,
    certainty: Certainty | None,
) -> list[Step]:
    """Steps that improve a model that detects something; a good one is to be tested and used."""
    steps: list[Step] = [("try_it", "test", {})] if level == "good" and facts.weights else []
    if certainty and certainty["margin"] and certainty["margin"] > WIDE:
        steps.append(("more_validation", "split", {"objects": certainty["objects"]}))
    if "overfitting" in facts.advice and level != "good":
        steps.append(("overfitting", "dataset", {}))
    elif level != "good" and still_rising(facts):
        steps.append(more_epochs(facts))
    steps += weak_class(facts, weakest)
    if confusion and confusion["kind"] == "confused" and confusion["count"] >= CONFUSED * confusion["of"]:
        steps.append(("tell_apart", "evaluation", {"first": confusion["actual"], "second": confusion["predicted"]}))
    if level != "good":
        steps.append(("larger", "clone", {}))
    if facts.weights:
        steps.append(("use_weights", "download", {}) if level == "good" else ("try_it", "test", {}))
    return steps


def still_rising(facts: RunFacts) -> bool:
    """The best epoch is among the last ones, or the run was ended early."""
    best = facts.best["epoch"] if facts.best else 0
    return (
        bool(facts.done) and (best >= LATE * facts.done or facts.done < facts.planned) and "plateau" not in facts.advice
    )


def weak_class(facts: RunFacts, weakest: WeakestClass | None) -> list[Step]:
    """The step for the weakest class, if it is far below the mean."""
    value = main_value(facts.task, facts.best)
    if weakest is None or value is None or weakest["value"] > value - GAP:
        return []
    few = weakest["train_objects"] is not None and weakest["train_objects"] < FEW_OBJECTS
    code = "annotate_class" if few else "check_class"
    return [(code, "class", {"class": weakest["class"], "name": weakest["name"]})]
