"""Requests and responses about what is in a revision: images, findings, statistics, fixes."""

from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError

from app.core.splits import SPLITS
from app.schemas.base import Page, PageQuery, PageQueryValues, Schema, between, one_of

SORTS = ("id", "file", "objects", "smallest", "largest", "bytes", "sharpness", "brightness")
CODE = Length(max=40)


class RevisionQuery(Schema):
    revision = Integer(validate=between(1, 10**9), metadata={"description": "Default: the current version."})


class RevisionQueryValues(TypedDict):
    revision: NotRequired[int]


class FileQuery(RevisionQuery):
    v = String(
        validate=Length(max=64),
        metadata={"description": "First digits of the image's SHA-256: the response can be cached permanently."},
    )


class FileQueryValues(TypedDict):
    revision: NotRequired[int]
    v: NotRequired[str]


class ImageQuery(PageQuery, RevisionQuery):
    split = String(validate=one_of(SPLITS))
    class_ = Integer(
        data_key="class",
        attribute="class",
        validate=between(0, 10**6),
        metadata={"description": "ID of a class that the image has an object of."},
    )
    finding = String(validate=CODE, metadata={"description": "Code of an issue of the image."})
    min_objects = Integer(validate=between(0, 10**6))
    max_objects = Integer(validate=between(0, 10**6))
    min_size = Float(
        validate=between(0, 10**6),
        metadata={"description": "Square root of an object's area (of the class), in image pixels."},
    )
    max_size = Float(validate=between(0, 10**6))
    search = String(validate=Length(max=100), metadata={"description": "Part of the file's path."})
    sort = String(load_default="id", validate=one_of([*SORTS, *(f"-{name}" for name in SORTS)]))


_ByClass = TypedDict("_ByClass", {"class": NotRequired[int]})  # a keyword of Python


class ImageQueryValues(PageQueryValues, _ByClass):
    revision: NotRequired[int]
    split: NotRequired[str]
    finding: NotRequired[str]
    min_objects: NotRequired[int]
    max_objects: NotRequired[int]
    min_size: NotRequired[float]
    max_size: NotRequired[float]
    search: NotRequired[str]
    sort: str


class ObjectOut(Schema):
    class_ = Integer(data_key="class", attribute="class")
    kind = String(validate=one_of(["box", "polygon", "obb", "keypoints"]))
    box = List(Float(), metadata={"description": "Center x and y, width, height, as fractions of the image."})
    points = List(List(Float()), metadata={"description": "Polygon or keypoints, as fractions of the image."})
    line = Integer(metadata={"description": "Line of the label file, or number in the annotation file, as in issues."})


class ImageOut(Schema):
    id = Integer()
    file = String()
    split = String()
    width = Integer()
    height = Integer()
    bytes = Integer()
    objects = List(Nested(ObjectOut))
    findings = List(String(), metadata={"description": "Codes."})
    used = Boolean(metadata={"description": "Whether training uses it."})
    group = Integer(allow_none=True, metadata={"description": "Images with the same number are near-duplicates."})
    original = String(metadata={"description": "Name in the upload, if stored under another name."})
    source = String(
        allow_none=True,
        metadata={"description": "Images with the same source are copies of one image or frames of one video."},
    )
    sharpness = Float(allow_none=True, metadata={"description": "0 to 1."})
    brightness = Float(allow_none=True, metadata={"description": "Mean, 0 to 255."})
    contrast = Float(allow_none=True, metadata={"description": "Standard deviation of the gray values."})
    url = String(allow_none=True)
    thumbnail = String(allow_none=True)


class ImagePage(Page):
    images = List(Nested(ImageOut))
    revision = Integer()


class FindingQuery(PageQuery, RevisionQuery):
    severity = String(validate=one_of(["error", "warning", "info"]))
    code = String(validate=CODE)
    split = String(validate=one_of(SPLITS))
    fixable = Boolean()
    search = String(validate=Length(max=100), metadata={"description": "Part of the file's or the image's path."})


class FindingQueryValues(PageQueryValues):
    revision: NotRequired[int]
    severity: NotRequired[str]
    code: NotRequired[str]
    split: NotRequired[str]
    fixable: NotRequired[bool]
    search: NotRequired[str]


class OtherImage(Schema):
    """The image that a duplicate or a leak is about as well."""

    id = Integer()
    file = String()
    split = String()
    url = String(allow_none=True)
    thumbnail = String(allow_none=True)


class FindingOut(Schema):
    id = Integer()
    severity = String()
    code = String()
    title = String()
    file = String(allow_none=True)
    line = Integer(allow_none=True, metadata={"description": "Line of the file, or number of the object in it."})
    message = String()
    effect = String(metadata={"description": "What YOLO does with it."})
    fix = String(allow_none=True, metadata={"description": "What the fix does."})
    fixable = Boolean()
    image_id = Integer(allow_none=True)
    image = String(allow_none=True, metadata={"description": "The image's path, where it is about one."})
    other = Nested(
        OtherImage, allow_none=True, metadata={"description": "Of a duplicate or a leak: the image that it repeats."}
    )


class ImageDetail(ImageOut):
    findings = List(Nested(FindingOut))


class CostOut(Schema):
    """What a fix takes away, known before it is made."""

    rows = Integer(metadata={"description": "Rows of label files that would be removed, with their objects."})
    images = Integer(metadata={"description": "Images that would be left out, since none of their rows would be left."})


class CodeOut(Schema):
    code = String()
    title = String()
    severity = String()
    count = Integer()
    fixable = Integer(metadata={"description": "How many of them can be fixed."})
    images = Integer(
        metadata={"description": "Number of images of the version with this issue; GET images?finding= lists them."}
    )
    fix = String(allow_none=True)
    cost = Nested(CostOut)


class FindingCounts(Schema):
    error = Integer()
    warning = Integer()
    info = Integer()
    fixable = Integer()


class FindingPage(Page):
    findings = List(Nested(FindingOut))
    counts = Nested(FindingCounts, metadata={"description": "Of the whole revision."})
    codes = List(Nested(CodeOut), metadata={"description": "Of the whole revision, the worst first."})
    cost = Nested(CostOut, metadata={"description": "Of all fixes together."})
    revision = Integer()


class ReportOut(Schema):
    """Everything that the check of a revision found."""

    dataset_id = Integer()
    name = String()
    revision = Integer()
    task = String()
    summary = Dict(metadata={"description": "As a dataset has it."})
    counts = Nested(FindingCounts)
    codes = List(Nested(CodeOut))
    cost = Nested(CostOut, metadata={"description": "Of all fixes together."})
    findings = List(Nested(FindingOut))


class ClassCounts(Schema):
    class_ = Integer(data_key="class", attribute="class")
    name = String()
    images = Dict(metadata={"description": "By split."})
    objects = Dict(metadata={"description": "By split."})


class Histogram(Schema):
    edges = List(Float(allow_none=True), metadata={"description": "One more than counts; the last is null: no end."})
    counts = List(Integer())


class SizeCount(Schema):
    width = Integer()
    height = Integer()
    count = Integer()


class HeatMap(Schema):
    size = Integer(metadata={"description": "Cells a side."})
    cells = List(Integer(), metadata={"description": "Centres of objects, row by row from the top."})


class CoOccurrence(Schema):
    classes = List(Integer(), metadata={"description": "The most frequent ones."})
    cells = List(List(Integer()), metadata={"description": "Images with an object of both classes."})


class StatisticsOut(Schema):
    """What training uses, counted."""

    revision = Integer()
    classes = List(Nested(ClassCounts))
    splits = Dict(metadata={"description": "Of each: images, used, objects, background."})
    image_sizes = List(Nested(SizeCount), metadata={"description": "The most frequent ones first."})
    box_sizes = Nested(Histogram, metadata={"description": "Square root of the area, in pixels of the image."})
    aspect_ratios = Nested(Histogram, metadata={"description": "Width by height of boxes."})
    objects_per_image = Nested(Histogram)
    heatmap = Nested(HeatMap)
    co_occurrence = Nested(CoOccurrence)


class Codes(Field):
    """A list of codes, or "all"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str] | str:
        if value == "all":
            return "all"
        texts = isinstance(value, list) and all(isinstance(item, str) and len(item) <= 40 for item in value)
        if not texts or not 1 <= len(value) <= 100:
            raise ValidationError(str(_l("Must be “all” or a list of issue codes.")))
        return list(dict.fromkeys(value))


CODES = {
    "description": "Issue codes, or “all”.",
    "oneOf": [
        {"type": "string", "enum": ["all"]},
        {"type": "array", "items": {"type": "string", "maxLength": 40}, "minItems": 1, "maxItems": 100},
    ],
}


class FixIn(Schema):
    codes = Codes(required=True, metadata=CODES)


class FixInValues(TypedDict):
    codes: list[str] | str
