"""The parts of a verdict, as data and as in VerdictOut: with a sentence each."""

from typing import NotRequired, TypedDict

from app.services.trainer.learning import Iterations


class Statement(TypedDict):
    """A code and its sentence."""

    code: str
    message: str


class VerdictMetric(TypedDict):
    """The main metric of the best epoch."""

    name: str
    value: float
    epoch: int
    message: NotRequired[str]


# The class with the lowest AP50; for classification, with the lowest recall. `train_objects`: None: not counted.
WeakestClass = TypedDict(
    "WeakestClass",
    {
        "class": int,
        "name": str,
        "metric": str,
        "value": float,
        "objects": int,
        "train_objects": int | None,
        "message": NotRequired[str],
    },
)


class Confusion(TypedDict):
    """The most frequent error; with `kind` "none", there are no other fields. None is the background."""

    kind: str
    predicted: NotRequired[str | None]
    actual: NotRequired[str | None]
    count: NotRequired[int]
    of: NotRequired[int]
    message: NotRequired[str]


class Certainty(TypedDict):
    """The size of the evaluation; `margin`: half the 95 % interval of the main metric."""

    objects: int | None
    images: int
    margin: float | None
    message: NotRequired[str]


class Cause(TypedDict):
    """The cause if it learned next to nothing."""

    code: str
    data: Iterations
    message: NotRequired[str]


# The placeholder values of a step's sentence. `class` and `name`: of a class; `first` and `second`: of two confused
# ones.
StepData = TypedDict(
    "StepData",
    {
        "epochs": int,
        "iterations": int,
        "objects": int | None,
        "class": int,
        "name": str,
        "first": str | None,
        "second": str | None,
    },
    total=False,
)


class NextStep(TypedDict):
    """A next step; `action`: where to do it, see STEPS in schemas/verdict.py."""

    code: str
    action: str
    data: StepData
    message: NotRequired[str]


class JudgedRun(TypedDict):
    """A verdict without its sentences. `level`: None: no metric."""

    status: str
    level: str | None
    metric: VerdictMetric | None
    weakest: WeakestClass | None
    confusion: Confusion | None
    certainty: Certainty | None
    cause: Cause | None
    confidence: float | None
    next: list[NextStep]


class Verdict(JudgedRun):
    """The result of judging. `use`: the code of its sentence."""

    use: str


class VerdictView(JudgedRun):
    """As VerdictOut."""

    title: str
    use: Statement
