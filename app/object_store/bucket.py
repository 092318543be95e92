"""A folder of an S3-compatible store: writes, reads and removes objects, through s3fs."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.core.files import file_hash
from app.object_store.errors import Corrupted, NotStored, StoreAway

if TYPE_CHECKING:
    from app.config import Settings

T = TypeVar("T")

PART = 16 * 1024**2  # bytes per request; larger files are sent in parts
CONNECT_S, ANSWER_S = 5, 60
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0  # between two attempts while the store is unavailable


@dataclass(frozen=True)
class StoredFile:
    """An object, and the expected hash and size of its bytes."""

    key: str
    sha256: str
    size: int


class Bucket:
    """Objects below one prefix. Usable after a fork if created before it.

    Args:
        url: s3://bucket/prefix. endpoint: of the server; "": Amazon's. access_key, secret_key: "": found by botocore,
            in AWS_* variables, its files, or the machine's role.
    """

    def __init__(self, url: str, endpoint: str = "", access_key: str = "", secret_key: str = "") -> None:
        self.url = url.rstrip("/")
        self.root = self.url.removeprefix("s3://")
        self.endpoint = endpoint
        self._access_key, self._secret_key = access_key, secret_key
        self._fs: Any = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"{self.url} ({self.endpoint or 'Amazon S3'})"

    def below(self, name: str) -> "Bucket":
        """The same store, one folder deeper."""
        return Bucket(f"{self.url}/{name}", self.endpoint, self._access_key, self._secret_key)

    @property
    def fs(self) -> Any:
        """This process's file system: its thread and connections do not survive a fork."""
        if self._fs is None or self._pid != os.getpid():
            from s3fs import S3FileSystem  # not at import: a single machine needs no store

            self._fs, self._pid = (
                S3FileSystem(
                    key=self._access_key or None,
                    secret=self._secret_key or None,
                    endpoint_url=self.endpoint or None,
                    config_kwargs={
                        "connect_timeout": CONNECT_S,
                        "read_timeout": ANSWER_S,
                        "retries": {"max_attempts": 1},
                    },
                    use_listings_cache=False,
                    skip_instance_cache=True,
                ),
                os.getpid(),
            )
            self._fs.retries = 2
        return self._fs

    def path(self, key: str) -> str:
        return f"{self.root}/{key}"

    def read(self, key: str) -> bytes:
        """The bytes of a small object.

        Raises:
            NotStored: there is no such object.
            StoreAway: the store does not answer.
        """
        with answers(key):
            data: bytes = self.fs.cat_file(self.path(key))
        return data

    def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """
        Raises:
            StoreAway: it could not be stored.
        """
        with answers(key):
            self.fs.pipe_file(self.path(key), data)
        return StoredFile(key, hashlib.sha256(data).hexdigest(), len(data))

    def put_file(self, key: str, path: Path) -> StoredFile:
        """Store a file; a large one in parts. The caller must check if it could change meanwhile.

        Raises:
            OSError: the file cannot be read.
            StoreAway: it could not be stored.
        """
        size = path.stat().st_size
        if size <= PART:
            return self.put_bytes(key, path.read_bytes())
        sha256 = file_hash(path)
        with answers(key):
            self.fs.put_file(str(path), self.path(key), chunksize=PART)
        stored = self.size(key)
        if stored != size:
            raise StoreAway(f"{key}: {stored} of {size} bytes arrived")
        return StoredFile(key, sha256, size)

    def size(self, key: str) -> int | None:
        """The size of an object in bytes; None if there is none.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            with answers(key):
                return int(self.fs.info(self.path(key))["size"])
        except NotStored:
            return None

    def fetch(self, file: StoredFile, target: Path, check: Callable[[], object] = lambda: None) -> None:
        """Download an object to a file, resuming an earlier attempt, and verify its hash.

        Args:
            check: called between two parts; an exception ends the download.

        Raises:
            Corrupted: the bytes have another hash; the file was deleted.
            NotStored: there is no such object.
            StoreAway: the store does not answer; the bytes read so far stay.
            OSError: the file cannot be written.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "ab") as output:
            while (offset := output.tell()) < file.size:
                check()
                with answers(file.key):
                    part = self.fs.cat_file(self.path(file.key), start=offset, end=min(offset + PART, file.size))
                if not part:
                    break
                output.write(part)
            output.flush()
            os.fsync(output.fileno())
        if target.stat().st_size != file.size or file_hash(target) != file.sha256:
            target.unlink()
            raise Corrupted(f"{file.key} is not what was stored")

    def keys(self, prefix: str) -> dict[str, datetime]:
        """Every object below a prefix, with its time.

        Raises:
            StoreAway: the store does not answer.
        """
        return {key: about["LastModified"] for key, about in self.objects(prefix)}

    def sizes(self, prefix: str) -> dict[str, int]:
        """The bytes of every object below a prefix.

        Raises:
            StoreAway: the store does not answer.
        """
        return {key: int(about["size"]) for key, about in self.objects(prefix)}

    def objects(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Every object below a prefix: its key, and its entry as s3fs lists it.

        Raises:
            StoreAway: the store does not answer.
        """
        with answers(prefix):
            listed = self.fs.find(self.path(prefix), detail=True) or {}
        for name, about in listed.items():
            yield name[len(self.root) + 1 :], about

    def remove(self, keys: Collection[str]) -> None:
        """
        Raises:
            StoreAway: some objects may remain.
        """
        if keys:
            with answers("remove"):
                self.fs.rm([self.path(key) for key in keys])


@contextmanager
def answers(key: str) -> Iterator[None]:
    """Converts errors of s3fs, botocore and aiohttp to ours.

    Raises:
        NotStored: there is no such object.
        StoreAway: anything else.
    """
    try:
        yield
    except FileNotFoundError as error:
        if "bucket" in str(error).lower() and "exist" in str(error).lower():
            raise StoreAway("the bucket of STORAGE_URL does not exist: create it") from error
        raise NotStored(key) from error
    except PermissionError as error:
        raise StoreAway(f"access is denied ({error}): check STORAGE_ACCESS_KEY, STORAGE_SECRET_KEY") from error
    except Exception as error:
        raise StoreAway(f"{type(error).__name__}: {error}") from error


def retrying(work: Callable[[], T], check: Callable[[], object], noted: Callable[[StoreAway, float], object]) -> T:
    """The return value of `work`, retried while the store is unavailable.

    Args:
        check: called before each pause; an exception ends the wait. noted: called with the error, and the seconds until
            the next attempt.
    """
    pause = FIRST_PAUSE_S
    while True:
        try:
            return work()
        except StoreAway as error:
            check()
            noted(error, pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def open_bucket(config: "Settings") -> Bucket | None:
    """The bucket of the settings; None: files are on a shared volume."""
    if not config.STORAGE_URL:
        return None
    return Bucket(config.STORAGE_URL, config.STORAGE_ENDPOINT, config.STORAGE_ACCESS_KEY, config.STORAGE_SECRET_KEY)
