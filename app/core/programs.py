"""The specs of the small programs. Those of trainings, imports, evaluations and so on have modules of their own."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from app.core.spec import Spec


@dataclass(frozen=True)
class SampleSpec(Spec):
    """The sample dataset.

    Args:
        output: the ZIP to write.
        train, val: images of each set. size: of them, px.
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
    """A version of a dataset in another format.

    Args:
        revision: its folder.
        format: yolo, coco or voc.
        output: the ZIP to write.
        task: None: as its dataset.yaml says.
    """

    revision: str
    format: str
    output: str
    task: str | None = None


class LossyNote(TypedDict):
    """What a format cannot hold, and of how many objects."""

    code: str
    count: int


class ExportDatasetResult(TypedDict):
    """What was written."""

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
        max_pixels: of a frame. max_frames: to write. rate: frames per second at most.
        seconds: of work at most. memory: bytes.
    """

    input: str
    output: str
    max_pixels: int
    max_frames: int
    rate: float
    seconds: float
    memory: int


class VideoResult(TypedDict):
    """The WebM. `cut`: the video goes on, but a limit was reached."""

    frames: int
    fps: float
    width: int
    height: int
    seconds: float
    cut: bool


@dataclass(frozen=True)
class HashSpec(Spec):
    """The present hash of a dataset. `data`: its dataset.yaml."""

    data: str


class HashResult(TypedDict):
    """`revision`: SHA-256 of images, labels, classes and split."""

    revision: str


class SplitOptions(TypedDict):
    """Of each set, and the seed that images are drawn with."""

    train: float
    val: float
    test: float
    seed: int


@dataclass(frozen=True)
class SplitSpec(Spec):
    """What a new split would be.

    Args:
        revision: the folder of the version that it is made from.
        split: shares and seed; None: as in the upload.
    """

    revision: str
    split: SplitOptions | None


ClassImages = TypedDict("ClassImages", {"class": int | str, "train": int, "val": int, "test": int})


class SplitResult(TypedDict):
    """What it would be: images by set, and by class and set. `how`: given, or the code of its decision; `torn`: images
    that are kept apart from those they belong to."""

    how: str
    splits: dict[str, int]
    classes: list[ClassImages]
    torn: int


@dataclass(frozen=True)
class CompareSpec(Spec):
    """Two evaluations on the same images.

    Args:
        this, other: the folders of their files.
        whole: whether they are of a classification.
    """

    this: str
    other: str
    whole: bool


class Difference(TypedDict):
    """What one evaluation has more than the other, with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


class Differences(TypedDict):
    """`differ`: `images` or `objects`, where they were not measured on the same; nothing else is there then."""

    differ: NotRequired[str]
    images: NotRequired[int]
    figures: NotRequired[dict[str, Difference]]


@dataclass(frozen=True)
class WeightsSpec(Spec):
    """A .pt that somebody sent.

    Args:
        most_bytes: expanded. memory: bytes that it may take.
    """

    path: str
    most_bytes: int
    memory: int
    most_classes: int


class WeightsResult(TypedDict):
    """The model of the file. `img_size` (px), `batch` and `epochs` as its checkpoint says; None: nothing sensible."""

    task: str
    architecture: str
    classes: list[str]
    parameters: int
    img_size: int | None
    batch: int | None
    epochs: int | None
    sha256: str
