"""Detects unsupported files of an upload that may hold its labels, by their suffix."""

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
LISTED = 10  # files named in a message


def suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def unread(skipped: SkippedFiles) -> list[str]:
    """The names of such files, or their suffixes if no names were recorded.

    Args:
        skipped: skipped files of an upload.
    """
    kinds = UNREAD & set(skipped.get("kinds", {}))
    names = [name for name in skipped.get("names", []) if suffix(name) in kinds]
    return names[:LISTED] or sorted(f"*{kind}" for kind in kinds)


def archives(skipped: SkippedFiles) -> list[str]:
    """The names of archives in an upload, which are not opened."""
    return [name for name in skipped.get("names", []) if suffix(name) in ARCHIVES][:LISTED]


def why_no_labels(skipped: SkippedFiles) -> Reason | None:
    """Why an upload has no readable labels, if skipped files explain it; otherwise None."""
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
