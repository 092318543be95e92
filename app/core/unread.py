"""Files of an upload that may hold its labels and are not read, by their suffix."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from app.core.failure import Reason
from app.core.imports import SkippedFiles
from app.core.suffixes import UNREAD_IMAGES

SPREADSHEETS = frozenset({".xlsx", ".xlsm", ".xls", ".ods", ".numbers"})
MANIFESTS = frozenset({".manifest"})  # of SageMaker Ground Truth and Rekognition
UNREAD = (
    SPREADSHEETS
    | MANIFESTS
    | {".mat", ".tfrecord", ".tfrecords", ".record", ".parquet", ".arrow", ".feather", ".pkl", ".pickle", ".npy"}
    | {".npz", ".h5", ".hdf5", ".db", ".sqlite", ".sqlite3", ".mdb", ".lst", ".rec", ".odgt", ".geojson", ".shp"}
)
ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
LISTED = 10  # files in a message


def suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def unread(skipped: SkippedFiles) -> list[str]:
    """The names of such files, or their kinds where no name is kept.

    Args:
        skipped: files that were left out of an upload.
    """
    kinds = UNREAD & set(skipped.get("kinds", {}))
    names = [name for name in skipped.get("names", []) if suffix(name) in kinds]
    return names[:LISTED] or sorted(f"*{kind}" for kind in kinds)


def archives(skipped: SkippedFiles) -> list[str]:
    """The names of archives in an upload that were not opened."""
    return [name for name in skipped.get("names", []) if suffix(name) in ARCHIVES][:LISTED]


def why_no_labels(skipped: SkippedFiles) -> Reason | None:
    """The reason why an upload without labels may have none that are read; None: it has no such file."""
    files = unread(skipped)
    if files:
        return {"code": code_of(files), "data": {"files": ", ".join(files)}}
    packed = archives(skipped)
    if packed:
        return {"code": "labels_packed", "data": {"files": ", ".join(packed)}}
    images = [name for name in skipped.get("names", []) if suffix(name) in UNREAD_IMAGES][:LISTED]
    return {"code": "labels_images", "data": {"files": ", ".join(images)}} if images else None


def code_of(files: Sequence[str]) -> str:
    """The reason's code for files with these names."""
    kinds = {suffix(name) or name.removeprefix("*") for name in files}
    if kinds <= SPREADSHEETS:
        return "labels_spreadsheet"
    return "labels_manifest" if kinds <= MANIFESTS else "labels_unread"
