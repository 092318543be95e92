"""An upload on the disk: `info.json`, written atomically, and `bin`, whose size is the offset."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask_babel import gettext as _

from app.core.files import sync_file
from app.core.json_object import JsonObject
from app.core.spec import of_values
from app.errors import NotFound
from app.services.storage.damaged import set_file_aside

RETENTION = timedelta(days=7)  # since the last byte: an upload can continue after a long weekend
ID = re.compile(r"[0-9a-f]{32}")

RECEIVING, CHECKING, COMPLETED, FAILED = "receiving", "checking", "done", "failed"
NULLABLE = {"dataset_id", "prediction_id", "problem", "created_by"}
DATASET, PREDICTION = "dataset", "prediction"  # purposes of an upload


@dataclass
class Upload:
    """The state of an upload, without its contents.

    Args:
        length: of the entire file, in bytes.
        metadata: as the client sent it, decoded.
        form: the purpose's form in the metadata, checked, with a `name`.
        locale: of the messages, such as pt_BR: that of the client that created it.
        state: receiving, checking, done or failed.
        purpose: DATASET or PREDICTION. dataset_id, prediction_id: the result, when done.
        problem: when failed: the problem+json that a plain POST of the file would have returned.
    """

    folder: Path
    length: int
    metadata: dict[str, str]
    form: Mapping[str, object]
    locale: str
    created_at: str
    state: str = RECEIVING
    dataset_id: int | None = None
    problem: JsonObject | None = None
    header: str = field(default="")  # Upload-Metadata, which HEAD returns unchanged
    created_by: int | None = None  # the uploader's account; None: the owner of the installation
    purpose: str = DATASET
    prediction_id: int | None = None

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def filename(self) -> str:
        return self.metadata.get("filename", "")

    def size(self) -> int:
        """The size of the present file; for an ended upload, its full size."""
        try:
            return self.bin.stat().st_size
        except FileNotFoundError:
            return 0 if self.state == RECEIVING else self.length

    def received(self) -> int:
        """`size`, synced, without a chunk whose checksum was not verified. There must be no writer.

        After a kill -9, the size includes bytes that are only in the page cache: they are synced before the client
        learns of them. After a power loss, only bytes on the disk count: file systems write data before the size.
        """
        if self.state != RECEIVING:
            return self.size()
        self.bin.touch()  # if the file was lost, the client starts again
        mark = self.unverified()
        if mark is not None:
            os.truncate(self.bin, min(mark, self.size()))
        sync_file(self.bin)
        self.mark_verified()
        return self.size()

    def mark_unverified(self, offset: int) -> None:
        """Bytes from here on count only once their checksum is verified; otherwise they are truncated."""
        write_synced(self.folder / "unverified", str(offset))

    def mark_verified(self) -> None:
        (self.folder / "unverified").unlink(missing_ok=True)

    def unverified(self) -> int | None:
        try:
            return int((self.folder / "unverified").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def retriable(self) -> bool:
        """Failed for a reason that may be temporary; the bytes still exist."""
        status = (self.problem or {}).get("status")
        return self.state == FAILED and isinstance(status, int) and status >= 500

    def expires(self) -> datetime:
        """When the janitor may remove it."""
        return datetime.fromtimestamp(last_change(self.folder), UTC) + RETENTION

    def save(self) -> None:
        """Replace info.json atomically."""
        values = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_synced(self.folder / "info.json", json.dumps(values, ensure_ascii=False))


def check_info(values: JsonObject) -> JsonObject:
    """The validated content of info.json, without unknown fields.

    Raises:
        ValueError: it is not valid.
        TypeError: the same.
        KeyError: the same.
    """
    info = {item.name: values[item.name] for item in fields(Upload) if item.name in values and item.name != "folder"}
    length, metadata, form, created_at = (info[name] for name in ("length", "metadata", "form", "created_at"))
    if not (isinstance(length, int) and isinstance(metadata, dict) and isinstance(form, dict)):
        raise TypeError("no length, no metadata or no form")
    if info["state"] not in {RECEIVING, CHECKING, COMPLETED, FAILED} or not 0 <= length < 2**53:
        raise ValueError("no state or no length")
    if info.get("purpose", DATASET) not in {DATASET, PREDICTION}:
        raise ValueError("no purpose")
    if not isinstance(created_at, str):
        raise TypeError("no time")
    datetime.fromisoformat(created_at)
    kinds = {
        "locale": str,
        "dataset_id": int,
        "problem": dict,
        "header": str,
        "created_by": int,
        "prediction_id": int,
    }
    for name, kind in kinds.items():
        absent = name not in info or (info[name] is None and name in NULLABLE)
        if not absent and not isinstance(info[name], kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    if not all(isinstance(text, str) for text in metadata.values()) or not isinstance(form.get("name"), str):
        raise ValueError("no metadata")
    json.dumps(info, ensure_ascii=False).encode()  # lone surrogates
    return info


def is_id(name: str) -> bool:
    return ID.fullmatch(name) is not None


def last_change(folder: Path) -> float:
    """Modification time of an upload's record or bytes, in seconds since the epoch."""
    return max(changed_at(folder / "info.json"), changed_at(folder / "bin"))


def changed_at(path: Path) -> float:
    """In seconds since the epoch; 0 if the file was removed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def write_synced(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.tmp")
    draft.write_text(text, encoding="utf-8")
    sync_file(draft)
    os.replace(draft, path)
    sync_file(path.parent)


class UploadStore:
    """All uploads, below one folder.

    Args:
        folder: data/uploads, created if missing.
        tmp: for creating and deleting folders; on the same file system.
    """

    def __init__(self, folder: Path, tmp: Path) -> None:
        self.folder, self.tmp = folder, tmp
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, upload: Upload) -> None:
        """Create an empty upload atomically."""
        target, upload.folder = upload.folder, self.tmp / upload.id
        upload.folder.mkdir()
        upload.bin.touch()
        sync_file(upload.bin)
        upload.save()
        os.replace(upload.folder, target)
        upload.folder = target
        sync_file(self.folder)

    def find(self, upload_id: str) -> Upload:
        """One upload.

        Raises:
            NotFound: there is none.
        """
        folder = self.folder / upload_id
        try:
            if not ID.fullmatch(upload_id):
                raise FileNotFoundError
            info = check_info(json.loads((folder / "info.json").read_bytes()))
            return of_values(Upload, {"folder": folder, **info})
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            set_file_aside(folder / "info.json", error)
            raise NotFound(
                _("The record of upload %(id)s was damaged and was moved away. Upload the file again.", id=upload_id)
            ) from error
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(upload_not_there(upload_id)) from None

    def all(self) -> Iterator[Upload]:
        for path in sorted(self.folder.iterdir()):
            try:
                yield self.find(path.name)
            except NotFound:  # not an upload, or removed meanwhile
                continue

    def without_record(self, before: float) -> Iterator[Path]:
        """Folders whose info.json was damaged, unchanged since `before` (seconds since the epoch)."""
        for path in self.folder.iterdir():
            if ID.fullmatch(path.name) and not (path / "info.json").exists() and changed_at(path) < before:
                yield path

    def newest_first(self, unfinished: bool = False) -> list[str]:
        """The ids of uploads, latest change first; only names and times are read.

        Args:
            unfinished: only those that still have their bytes, to be continued or retried.
        """
        with os.scandir(self.folder) as entries:
            changes = [
                (entry.stat(follow_symlinks=False).st_mtime, entry.name) for entry in entries if is_id(entry.name)
            ]
        names = [name for _, name in sorted(changes, reverse=True)]
        return [name for name in names if (self.folder / name / "bin").exists()] if unfinished else names

    def unchanged_since(self, before: datetime) -> Iterator[Upload]:
        """Uploads whose last byte is older; only these are read, of the others only the times."""
        for path in sorted(self.folder.iterdir()):
            if is_id(path.name) and last_change(path) < before.timestamp():
                try:
                    yield self.find(path.name)
                except NotFound:  # removed meanwhile, or its record is damaged
                    continue

    def remove(self, upload: Upload) -> None:
        """Rename, then delete. For large files, call it outside of eventlet's loop."""
        aside = self.tmp / f"{upload.id}-removed"
        try:
            os.replace(upload.folder, aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)


def upload_not_there(upload_id: str) -> str:
    return _("Upload %(id)s doesn't exist. It may have expired. Upload the file again.", id=upload_id[:40])
