"""The specs of the small programs. Trainings, imports, evaluations and others have modules of their own."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from app.core.spec import Spec


@dataclass(frozen=True)
class SampleSpec(Spec):
    """The task of generating the sample dataset.

    Args:
        output: the ZIP to write.
        train, val: images per set. size: their side, px.
    """

    output: str
    train: int = 240
    val: int = 60
    size: int = 192
    seed: int = 0


class SampleResult(TypedDict):
    """`output`: the ZIP that was written."""

    output: str


@dataclass(frozen=True)
class ExportDatasetSpec(Spec):
    """The task of exporting a dataset's version to another format.

    Args:
        revision: its folder.
        format: yolo, coco or voc.
        output: the ZIP to write.
        task: None: as in its dataset.yaml.
    """

    revision: str
    format: str
    output: str
    task: str | None = None


class LossyNote(TypedDict):
    """What a format cannot represent, and for how many objects."""

    code: str
    count: int


class ExportDatasetResult(TypedDict):
    """The result of a dataset export."""

    images: int
    objects: int
    bytes: int
    seconds: float
    notes: list[LossyNote]


@dataclass(frozen=True)
class VideoSpec(Spec):
    """The task of converting a video to one that browsers play.

    Args:
        input: the video. output: the WebM to write.
        max_pixels: per frame. max_frames: to write. rate: maximum frames per second.
        seconds: maximum time. memory: bytes.
    """

    input: str
    output: str
    max_pixels: int
    max_frames: int
    rate: float
    seconds: float
    memory: int


class VideoResult(TypedDict):
    """The WebM. `cut`: it was truncated at a limit."""

    frames: int
    fps: float
    width: int
    height: int
    seconds: float
    cut: bool


@dataclass(frozen=True)
class HashSpec(Spec):
    """The task of computing a dataset's present hash. `data`: its dataset.yaml."""

    data: str


class HashResult(TypedDict):
    """`revision`: SHA-256 of images, labels, classes and split."""

    revision: str


class SplitOptions(TypedDict):
    """The share of each set, and the seed of the random selection."""

    train: float
    val: float
    test: float
    seed: int


@dataclass(frozen=True)
class SplitSpec(Spec):
    """The task of computing a new split without applying it.

    Args:
        revision: the folder of the version to split.
        split: shares and seed; None: as in the upload.
    """

    revision: str
    split: SplitOptions | None


ClassImages = TypedDict("ClassImages", {"class": int | str, "train": int, "val": int, "test": int})


class SplitResult(TypedDict):
    """The computed split: images by set, and by class and set. `how`: given, or the code of its decision; `torn`:
    images separated from others of their group.
    """

    how: str
    splits: dict[str, int]
    classes: list[ClassImages]
    torn: int


@dataclass(frozen=True)
class CompareSpec(Spec):
    """The task of comparing two evaluations on the same images.

    Args:
        this, other: the folders of their files.
        classification: whether they are of a classification.
    """

    this: str
    other: str
    classification: bool


class Difference(TypedDict):
    """The difference of a metric between two evaluations, with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Differences(TypedDict):
    """`differ`: `images` or `objects`, if the evaluations do not have the same; other fields are then missing."""

    differ: NotRequired[str]
    images: NotRequired[int]
    figures: NotRequired[dict[str, Difference]]


@dataclass(frozen=True)
class WeightsSpec(Spec):
    """The task of checking an uploaded .pt.

    Args:
        most_bytes: limit of its uncompressed size. memory: limit in bytes.
    """

    path: str
    most_bytes: int
    memory: int
    most_classes: int


class WeightsResult(TypedDict):
    """The model in the file. `img_size` (px), `batch` and `epochs` of its checkpoint; None: missing or implausible."""

    task: str
    architecture: str
    classes: list[str]
    parameters: int
    img_size: int | None
    batch: int | None
    epochs: int | None
    sha256: str
