"""The spec of a dataset import: `spec.json` of app/worker/programs/import_dataset.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, Self, TypedDict

from app.core.failure import Reason
from app.core.programs import SplitOptions
from app.core.report import Decision, Keypoints
from app.core.spec import Spec, of_values

ARCHIVE = "original.zip"  # in a dataset's folder: the unchanged upload
ORIGINALS = "names.json"  # in a dataset's folder: the uploaded name of each file, by its path below source/
# failure of the process if the server does not create the dataset's row in time
NOT_ACCEPTED = "the server did not take the dataset over"


class SkippedFiles(TypedDict, total=False):
    """Skipped files of an upload. `kinds`: counts by suffix or reason; `names`: some of them."""

    count: int
    kinds: dict[str, int]
    names: list[str]


RenamedFile = TypedDict("RenamedFile", {"from": str, "to": str})


class RenamedFiles(TypedDict, total=False):
    """Renamed files of an upload. `names`: some of them."""

    count: int
    names: list[RenamedFile]


class OriginalName(TypedDict):
    """The uploaded name of a file."""

    name: str


class FixEffect(TypedDict):
    """The effect of a fix, see `AppliedFixes` of app/worker/quality/fixes.py; the last three are missing in older
    versions.
    """

    images: int
    rows: int
    files: list[str]
    emptied: NotRequired[int]
    unsaved: NotRequired[int]
    unsaved_files: NotRequired[list[str]]


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits of an upload. Sizes in bytes."""

    max_entries: int = 200_000
    max_expanded: int = 10 * 1024**3
    min_free: int = 5 * 1024**3
    max_classes: int = 1000


@dataclass(frozen=True)
class ServerFolder:
    """A folder of the server to be copied.

    Args:
        root: IMPORT_ROOT, resolved.
        below: the folder's path relative to the root, without links; "" for all of the root.
    """

    root: str
    below: str


class ImportOptions(TypedDict, total=False):
    """Import choices for a dataset; None, "" and auto: automatic. See DATASETS in the wiki."""

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
    """The task of building one version.

    Args:
        dataset: the dataset's folder, or the one that it is staged in.
        number: of the version to build, below `dataset/revisions/`.
        objects: the folder of the stored files.
        options: root, merge, classes, names, rename, split, task, format, reading; see DATASETS in the wiki.
        fixes: codes of the findings to fix, or "all".
        unpack: extract `dataset/original.zip` to `dataset/source`.
        folder: to copy to `dataset/source`, if any.
        unpacked: the file that records what was extracted, so that another attempt need not repeat it.
        adopt: the dataset was created before there were versions; `source/` is built from its files.
        staged: the dataset moves after the first verdict; the file `placed` will name its location.
        verdict_only: the first verdict is the result.
        hurry: other imports wait: fail if the images take far longer than usual for their size.
        index_of: the hash of an existing version of which only the index is rebuilt; "": build a version.
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
    staged: bool = False
    verdict_only: bool = False
    index_of: str = ""
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    max_pixels: int = 0
    max_findings: int = 0
    image_size: int = 640
    decode_seconds: float = 10.0  # of CPU time per image
    hurry: bool = False

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """From spec.json."""
        folder, limits = values.get("folder"), values.get("limits")
        nested = {
            "folder": ServerFolder(**folder) if isinstance(folder, dict) else None,
            "limits": ArchiveLimits(**limits) if isinstance(limits, dict) else ArchiveLimits(),
        }
        return super().of({**values, **nested})


@dataclass(frozen=True)
class Unpacked:
    """The result of reading an upload or a folder: bytes, skipped and renamed files, decisions about the archive."""

    size_bytes: int = 0
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    renamed: RenamedFiles = field(default_factory=RenamedFiles)
    notes: list[Decision] = field(default_factory=list)


@dataclass(frozen=True)
class ImportResult:
    """A version that is complete on the disk. Counts are of images and objects that training will use."""

    number: int
    hash: str
    format: str
    task: str
    names: list[str]
    images: dict[str, int]  # all, by split
    usable: dict[str, int]  # without those that training will drop, by split
    boxes: dict[str, int]  # by class index
    findings: dict[str, int]  # by code
    severities: dict[str, int]  # by severity
    left_out: dict[str, int]  # images excluded from training, by code of the first error
    decisions: list[Decision]
    samples: list[int]  # image ids of the index for a preview
    size_bytes: int
    seconds: float
    outside: list[str] = field(default_factory=list)  # files of the source without a use: the first ones
    outside_count: int = 0
    fixable: int = 0  # findings with an automatic fix
    root: str = ""  # below the source
    source_names: list[str] = field(default_factory=list)  # before classes were renamed
    keypoints: Keypoints | None = None
    effects: dict[str, FixEffect] = field(default_factory=dict)  # by code

    @classmethod
    def read(cls, values: Mapping[str, object]) -> "ImportResult":
        """From the child's terminal event, which another version may have written."""
        return of_values(cls, values)


class DatasetReport(TypedDict, total=False):
    """The report of a dataset and of a version: the contents of the upload, the decisions and the counts of the import.

    Most fields are as in `ImportResult`; `archive`: decisions about the upload; `reason`: why it cannot be used.
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

    `kind`: upload, import, options, fix or adopted; `base`: "source", or the number of the version it was built from;
    `sample`: it is the platform's own sample.
    """

    kind: str
    base: str | int
    fixes: list[str] | str | None
    sample: bool
