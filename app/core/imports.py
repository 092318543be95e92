"""The spec of a dataset import: `spec.json` of app/worker/programs/import_dataset.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, Self, TypedDict

from app.core.failure import Reason
from app.core.programs import SplitOptions
from app.core.report import Decision, Keypoints
from app.core.spec import Spec

ARCHIVE = "original.zip"  # in a dataset's folder: the upload as it came
ORIGINALS = "names.json"  # in a dataset's folder: by path below source/, what the upload called it
NOT_ACCEPTED = "the server did not take the dataset over"  # how the process fails that waited for it in vain


class SkippedFiles(TypedDict, total=False):
    """Skipped files of an upload. `kinds`: how many, by suffix or reason; `names`: some of them."""

    count: int
    kinds: dict[str, int]
    names: list[str]


RenamedFile = TypedDict("RenamedFile", {"from": str, "to": str})


class RenamedFiles(TypedDict, total=False):
    """Files of an upload that got another name. `names`: some of them."""

    count: int
    names: list[RenamedFile]


class OriginalName(TypedDict):
    """What the uploaded file was called."""

    name: str


class FixEffect(TypedDict):
    """What a fix did, as `AppliedFixes` of app/worker/quality/fixes.py; the last three not by older versions."""

    images: int
    rows: int
    files: list[str]
    emptied: NotRequired[int]
    unsaved: NotRequired[int]
    unsaved_files: NotRequired[list[str]]


@dataclass(frozen=True)
class ArchiveLimits:
    """What an upload may cost. Sizes in bytes."""

    max_entries: int = 200_000
    max_expanded: int = 10 * 1024**3
    min_free: int = 5 * 1024**3
    max_classes: int = 1000


@dataclass(frozen=True)
class ServerFolder:
    """A folder of the server that is copied.

    Args:
        root: IMPORT_ROOT, resolved.
        below: the folder's path from there, without links; "" for all of it.
    """

    root: str
    below: str


class ImportOptions(TypedDict, total=False):
    """What was chosen about a dataset; None, "" and auto: nothing. See DATASETS in the wiki."""

    root: str | None
    merge: bool
    classes: str
    names: list[str] | None
    rename: dict[str, str] | None
    split: SplitOptions | None
    task: str
    format: str | None
    reading: list[str] | None


@dataclass(frozen=True)
class ImportSpec(Spec):
    """The task of building one revision.

    Args:
        dataset: the dataset's folder, or the one that it is staged in.
        number: of the revision to build, below `dataset/revisions/`.
        objects: the folder of the objects.
        options: root, merge, classes, names, rename, split, task, format, reading; see DATASETS in the wiki.
        fixes: codes of findings to be mended, or "all".
        unpack: `dataset/original.zip` is to be extracted to `dataset/source`.
        folder: is to be copied to `dataset/source`; None: nothing is.
        unpacked: where it is written down what was extracted, so that another attempt need not do it again.
        adopt: the dataset is from before revisions; `source/` is made of what is there.
        place: after the first verdict the dataset still moves; where to, the file `placed` will say.
        verdict_only: the first verdict is the result.
        hurry: others wait for its place: it fails where its images take far longer than others of their size.
        index_of: the hash of a revision that is there: its index alone is made anew; "": a revision is built.
    """

    dataset: str
    number: int
    objects: str
    options: ImportOptions
    unpacked: str
    fixes: list[str] | str = field(default_factory=list)
    unpack: bool = False
    folder: ServerFolder | None = None
    adopt: bool = False
    place: bool = False
    verdict_only: bool = False
    index_of: str = ""
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    max_pixels: int = 0
    max_findings: int = 0
    image_size: int = 640
    decode_seconds: float = 10.0  # of processor time, that one image may take
    hurry: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From spec.json."""
        folder, limits = values.get("folder"), values.get("limits") or {}
        nested = {"folder": ServerFolder(**folder) if folder else None, "limits": ArchiveLimits(**limits)}
        return super().of({**values, **nested})


@dataclass(frozen=True)
class Unpacked:
    """What came of an upload or a folder: bytes, files that were left out or renamed, decisions about the archive."""

    size_bytes: int = 0
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    renamed: RenamedFiles = field(default_factory=RenamedFiles)
    notes: list[Decision] = field(default_factory=list)


@dataclass(frozen=True)
class ImportResult:
    """A revision that is built and on the disk. Counts are images and objects that training will use."""

    number: int
    hash: str
    format: str
    task: str
    names: list[str]
    images: dict[str, int]  # all, by split
    usable: dict[str, int]  # that training will not drop, by split
    boxes: dict[str, int]  # by class index
    findings: dict[str, int]  # by code
    severities: dict[str, int]  # by severity
    left_out: dict[str, int]  # images that training will not use, by code of the first error
    decisions: list[Decision]
    samples: list[int]  # image ids of the index, for a first look
    size_bytes: int
    seconds: float
    outside: list[str] = field(default_factory=list)  # files of the source that belong to nothing: the first ones
    outside_count: int = 0
    fixable: int = 0  # findings that can be mended
    root: str = ""  # below the source
    source_names: list[str] = field(default_factory=list)  # before classes were renamed
    keypoints: Keypoints | None = None
    effects: dict[str, FixEffect] = field(default_factory=dict)  # by code

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "ImportResult":
        """As the child's last event has it, which may be of another version."""
        return cls(**{name: value for name, value in values.items() if name in cls.__dataclass_fields__})


class DatasetReport(TypedDict, total=False):
    """The report of a dataset and of a version: what the upload had, what the import decided and counted.

    Most fields as `ImportResult` has them; `archive`: decisions about the upload; `reason`: why it cannot be used.
    """

    skipped: SkippedFiles
    renamed: RenamedFiles
    original: OriginalName | None
    archive: list[Decision]
    decisions: list[Decision]
    images: dict[str, int]
    usable: dict[str, int]
    boxes: dict[str, int]
    findings: dict[str, int]
    findings_total: int
    severities: dict[str, int]
    left_out: dict[str, int]
    fixable: int
    samples: list[int]
    seconds: float
    keypoints: Keypoints | None
    effects: dict[str, FixEffect]
    root: str
    source_names: list[str]
    reason: Reason


class RevisionOrigin(TypedDict, total=False):
    """How a version was created.

    `kind`: upload, import, options, fix or adopted; `base`: "source", or the number of the version that it is made of.
    """

    kind: str
    base: str | int
    fixes: list[str] | str | None
