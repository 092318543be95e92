"""What is in an evaluation: its matrix, images, likely label errors, curves; and two of them side by side."""

from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length

from app.core.label_errors import KINDS as SUSPECTS
from app.core.outcomes import KINDS, SIZES
from app.schemas.base import DateTime, Page, PageQuery, PageQueryValues, Schema, between, one_of

ORDERS = ("errors", "file", "confidence", "iou", "hits")
NAME = Length(max=200)


class ThresholdQuery(Schema):
    """Recomputed without the model."""

    confidence = Float(
        validate=between(0.01, 1), metadata={"description": "Default: that of the best F1. Rounded to 3 decimals."}
    )
    iou = Float(validate=between(0.1, 0.95), metadata={"description": "Default: 0.45. Rounded to 2 decimals."})


class ThresholdQueryValues(TypedDict):
    confidence: NotRequired[float]
    iou: NotRequired[float]


class CellOut(Schema):
    actual = String(allow_none=True, metadata={"description": "null: background."})
    predicted = String(allow_none=True, metadata={"description": "null: background."})
    count = Integer()


class MatrixOut(Schema):
    """Every object and every detection that counts is in exactly one cell."""

    names = List(String())
    confidence = Float()
    iou = Float()
    counts = Dict(metadata={"description": "How many of each kind."})
    cells = List(Nested(CellOut))


class OutcomeQuery(PageQuery, ThresholdQuery):
    """Images with an object or a detection that fits all of it."""

    kind = String(validate=one_of(KINDS))
    class_ = String(
        data_key="class", attribute="class", metadata={"description": "Of an object, or predicted."}, validate=NAME
    )
    actual = String(validate=NAME, metadata={"description": "The object's class; empty: background."})
    predicted = String(validate=NAME, metadata={"description": "The detection's class; empty: nothing."})
    size = String(validate=one_of(SIZES))
    search = String(validate=Length(max=100), metadata={"description": "Part of the file's path."})
    sort = String(load_default="-errors", validate=one_of([*ORDERS, *(f"-{name}" for name in ORDERS)]))


_ByClass = TypedDict("_ByClass", {"class": NotRequired[str]})  # a keyword of Python


class OutcomeQueryValues(PageQueryValues, _ByClass):
    confidence: NotRequired[float]
    iou: NotRequired[float]
    kind: NotRequired[str]
    actual: NotRequired[str]
    predicted: NotRequired[str]
    size: NotRequired[str]
    search: NotRequired[str]
    sort: str


class SeenObject(Schema):
    class_ = String(data_key="class", attribute="class")
    kind = String(metadata={"enum": ["missed", "wrong_class", "correct"]})
    size = String(allow_none=True, metadata={"description": "small, medium or large; null of a whole image."})
    detection = Integer(allow_none=True, metadata={"description": "Index among `detections`."})
    iou = Float(allow_none=True)
    box = List(Float(), metadata={"description": "x1, y1, x2, y2 in pixels."})
    corners = List(List(Float()), metadata={"description": "Of an oriented box, in pixels."})


class SeenDetection(Schema):
    class_ = String(data_key="class", attribute="class")
    confidence = Float()
    kind = String(allow_none=True, metadata={"enum": ["false", "wrong_class", "duplicate", "correct", None]})
    object = Integer(allow_none=True, metadata={"description": "Index among `objects`."})
    iou = Float(allow_none=True, metadata={"description": "With the object that it lies on; null: with none."})
    box = List(Float())
    corners = List(List(Float()))


class EvaluatedImage(Schema):
    id = Integer()
    file = String(metadata={"description": "Path in the version of the dataset."})
    width = Integer(allow_none=True)
    height = Integer(allow_none=True)
    errors = Integer()
    url = String()
    thumbnail = String()
    objects = List(Nested(SeenObject))
    detections = List(Nested(SeenDetection))


class EvaluatedPage(Page):
    confidence = Float()
    iou = Float()
    counts = Dict(metadata={"description": "How many of each kind, in all images."})
    images = List(Nested(EvaluatedImage))


class SuspectQuery(PageQuery):
    kind = String(validate=one_of(SUSPECTS))


class SuspectQueryValues(PageQueryValues):
    kind: NotRequired[str]


class SuspectImage(Schema):
    id = Integer()
    file = String(metadata={"description": "Path in the version of the dataset."})
    width = Integer(allow_none=True)
    height = Integer(allow_none=True)
    url = String()
    thumbnail = String()


class PlacedObject(Schema):
    class_ = String(data_key="class", attribute="class")
    confidence = Float(metadata={"description": "Of a detection."})
    box = List(Float(), metadata={"description": "x1, y1, x2, y2 in pixels."})
    corners = List(List(Float()), metadata={"description": "Of an oriented box, in pixels."})


class SuspectOut(Schema):
    """missing: a confident detection without an object; extra: an object that is not detected; wrong_class: an object
    detected with confidence as another class; bad_box: a box that fits the detection badly."""

    rank = Integer(metadata={"description": "1: the most suspicious, of all kinds."})
    kind = String(metadata={"enum": list(SUSPECTS)})
    score = Float(metadata={"description": "0 to 1: the share of the objects that stand out less in the same way."})
    image = Nested(SuspectImage)
    object = Nested(PlacedObject, allow_none=True, metadata={"description": "As it is labelled."})
    detection = Nested(PlacedObject, allow_none=True)
    iou = Float(allow_none=True, metadata={"description": "Of the two."})


class SuspectPage(Page):
    counts = Dict(metadata={"description": "How many of each kind, in all images."})
    suspects = List(Nested(SuspectOut))


class OtherEvaluation(Schema):
    id = Integer()
    training_id = Integer()
    training_name = String()
    split = String()
    checkpoint = String()
    metrics = Dict(allow_none=True)
    created_at = DateTime()


class OthersOut(Schema):
    """Completed evaluations of the same set, the newest first."""

    evaluations = List(Nested(OtherEvaluation))


class ComparisonQuery(PageQuery):
    right = String(
        validate=one_of(["this", "other"]), metadata={"description": "Which of the two alone has no error there."}
    )


class ComparisonQueryValues(PageQueryValues):
    right: NotRequired[str]


class ComparedImage(Schema):
    id = Integer(metadata={"description": "Among the images of this evaluation."})
    file = String()
    this_errors = Integer()
    other_errors = Integer()
    url = String()
    thumbnail = String()


class ComparisonOut(Page):
    """Two evaluations on the same images, each at its own best F1."""

    this = Nested(OtherEvaluation)
    other = Nested(OtherEvaluation)
    difference = Dict(
        metadata={
            "description": "map50, map95; of a classification top1: value (this minus other), low and high of the 95% "
            "interval by a paired bootstrap over the images. Empty where the images have no objects."
        }
    )
    distinguishable = Boolean(
        metadata={"description": "Whether the interval of map95, or top1, excludes 0; never on fewer than 20 images."}
    )
    message = String()
    counts = Dict(metadata={"description": "Images without an error: in both, in this or the other alone, in neither."})
    images = List(Nested(ComparedImage), metadata={"description": "Those that one of the two alone gets right."})


class CurvesOut(Schema):
    curves = Dict(
        allow_none=True,
        metadata={
            "description": "x, and over it precision, recall, f1 (x: the confidence) and pr (x: the recall); "
            "`classes`: the same with `name`. null of a classification, and where nothing was detected."
        },
    )


class AdviceQuery(Schema):
    precision = Float(validate=between(0, 1), metadata={"description": "At least so much, with the highest recall."})
    recall = Float(validate=between(0, 1), metadata={"description": "At least so much, with the highest precision."})


class AdviceQueryValues(TypedDict):
    precision: NotRequired[float]
    recall: NotRequired[float]


class AdvisedOut(Schema):
    confidence = Float()
    precision = Float()
    recall = Float()
    f1 = Float()


class ClassAdvice(Schema):
    name = String()
    threshold = Nested(AdvisedOut, allow_none=True)


class AdviceOut(Schema):
    """Without a goal: the best F1. null: the goal can't be reached."""

    overall = Nested(AdvisedOut, allow_none=True)
    classes = List(Nested(ClassAdvice))
