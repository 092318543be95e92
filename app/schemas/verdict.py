"""The verdict on a training that has ended."""

from apiflask.fields import Dict, Float, Integer, List, Nested, String

from app.schemas.base import Schema, one_of

LEVEL = "good, fair, low, or nothing (the model learned nothing); null: nothing was measured."
STEPS = (
    "extend",
    "resume",
    "retry",
    "clone",
    "images",
    "class",
    "issues",
    "dataset",
    "split",
    "evaluation",
    "evaluations",
    "test",
    "download",
    "log",
    "system",
)


class Statement(Schema):
    code = String()
    message = String()


class VerdictMetric(Schema):
    name = String(metadata={"description": "map50, or top1 of a classification."})
    value = Float()
    epoch = Integer()
    message = String()


class WeakestClass(Schema):
    """The class with the lowest AP50; of a classification, with the lowest recall."""

    class_ = Integer(data_key="class", attribute="class")
    name = String()
    metric = String()
    value = Float()
    objects = Integer(metadata={"description": "In the validation set."})
    train_objects = Integer(allow_none=True)
    message = String()


class Confusion(Schema):
    """The most frequent error."""

    kind = String(metadata={"description": "confused, missed, false_positive, or none."})
    predicted = String(allow_none=True)
    actual = String(allow_none=True)
    count = Integer()
    of = Integer(metadata={"description": "Objects of the class, or its predictions where they are false positives."})
    message = String()


class Certainty(Schema):
    objects = Integer(allow_none=True)
    images = Integer(allow_none=True)
    margin = Float(allow_none=True, metadata={"description": "Half the 95% interval (Wilson) of the main metric."})
    message = String()


class Cause(Statement):
    """Why the model learned nothing: few_iterations, still_falling, labels, or learning_rate."""

    data = Dict()


class NextStep(Statement):
    action = String(validate=one_of(STEPS), metadata={"description": "Where the step is done."})
    data = Dict()


class VerdictOut(Schema):
    """What the best weights are good for, where they are weak, how sure that is, and what to do now."""

    status = String()
    level = String(allow_none=True, metadata={"description": LEVEL})
    title = String()
    use = Nested(Statement)
    metric = Nested(VerdictMetric, allow_none=True)
    weakest = Nested(WeakestClass, allow_none=True)
    confusion = Nested(Confusion, allow_none=True, metadata={"description": "null: there is no evaluation."})
    certainty = Nested(Certainty, allow_none=True)
    cause = Nested(Cause, allow_none=True)
    confidence = Float(allow_none=True, metadata={"description": "The recommended threshold: the best F1."})
    next = List(Nested(NextStep))
