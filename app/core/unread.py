"""Files of an upload that may hold its labels and are not read, by their suffix."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

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


def unread(skipped: Mapping[str, Any]) -> list[str]:
    """The names of such files, or their kinds where no name is kept.

    Args:
        skipped: `kinds` (how many files by suffix) and `names` (some of them) that were left out of an upload.
    """
    kinds = UNREAD & set(skipped.get("kinds", {}))
    names = [name for name in skipped.get("names", []) if suffix(name) in kinds]
    return names[:LISTED] or sorted(f"*{kind}" for kind in kinds)


def archives(skipped: Mapping[str, Any]) -> list[str]:
    """The names of archives in an upload that were not opened."""
    return [name for name in skipped.get("names", []) if suffix(name) in ARCHIVES][:LISTED]


def why_no_labels(skipped: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Code and data of the reason why an upload without labels may have none that are read; None: it has no such
    file."""
    files = unread(skipped)
    if files:
        return code_of(files), {"files": ", ".join(files)}
    packed = archives(skipped)
    if packed:
        return "labels_packed", {"files": ", ".join(packed)}
    images = [name for name in skipped.get("names", []) if suffix(name) in UNREAD_IMAGES][:LISTED]
    return ("labels_images", {"files": ", ".join(images)}) if images else None


def code_of(files: Sequence[str]) -> str:
    kinds = {suffix(name) or name.removeprefix("*") for name in files}
    if kinds <= SPREADSHEETS:
        return "labels_spreadsheet"
    return "labels_manifest" if kinds <= MANIFESTS else "labels_unread"
