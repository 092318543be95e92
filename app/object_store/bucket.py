"""A folder of an S3-compatible store: writes, reads and removes objects, through boto3."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from app.core.files import file_hash
from app.object_store.errors import Corrupted, NotStored, StoreAway

if TYPE_CHECKING:
    from app.config import Settings

T = TypeVar("T")

PART = 16 * 1024**2  # bytes per request; larger files are sent in parts
CONNECT_S, ANSWER_S = 5, 60
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0  # between two attempts while the store is unavailable
ATTEMPTS = 2  # per request
PARALLEL_PARTS = 4  # per file
MAX_REMOVED = 1000  # objects per request: S3's limit
MISSING = {"404", "NoSuchKey"}
DENIED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


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
        self.bucket, _, self.prefix = self.url.removeprefix("s3://").partition("/")
        self.endpoint = endpoint
        self._access_key, self._secret_key = access_key, secret_key
        self._client: Any = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"{self.url} ({self.endpoint or 'Amazon S3'})"

    def below(self, name: str) -> "Bucket":
        """The same store, one folder deeper."""
        return Bucket(f"{self.url}/{name}", self.endpoint, self._access_key, self._secret_key)

    @property
    def client(self) -> Any:
        """This process's client: connections must not be shared after a fork."""
        if self._client is None or self._pid != os.getpid():
            import boto3  # not at import: a single machine needs no store
            from botocore.config import Config

            self._client, self._pid = (
                boto3.session.Session().client(
                    "s3",
                    aws_access_key_id=self._access_key or None,
                    aws_secret_access_key=self._secret_key or None,
                    endpoint_url=self.endpoint or None,
                    config=Config(
                        connect_timeout=CONNECT_S,
                        read_timeout=ANSWER_S,
                        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                    ),
                ),
                os.getpid(),
            )
        return self._client

    def location(self, key: str) -> dict[str, str]:
        """An object's bucket and key, as arguments of boto3."""
        return {"Bucket": self.bucket, "Key": self.path(key)}

    def path(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def read(self, key: str) -> bytes:
        """The bytes of a small object.

        Raises:
            NotStored: there is no such object.
            StoreAway: the store does not answer.
        """
        with answers(key):
            data: bytes = self.client.get_object(**self.location(key))["Body"].read()
        return data

    def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """
        Raises:
            StoreAway: it could not be stored.
        """
        with answers(key):
            self.client.put_object(**self.location(key), Body=data)
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
        with open(path, "rb") as file, answers(key):
            self.upload(file, key)
        stored = self.size(key)
        if stored != size:
            raise StoreAway(f"{key}: {stored} of {size} bytes arrived")
        return StoredFile(key, sha256, size)

    def upload(self, file: IO[bytes], key: str) -> None:
        """Send a file in parts, several in parallel."""
        from boto3.s3.transfer import TransferConfig

        parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=PARALLEL_PARTS)
        self.client.upload_fileobj(file, **self.location(key), Config=parts)

    def size(self, key: str) -> int | None:
        """The size of an object in bytes; None if there is none.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            with answers(key):
                return int(self.client.head_object(**self.location(key))["ContentLength"])
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
                    last = min(offset + PART, file.size) - 1
                    answer = self.client.get_object(**self.location(file.key), Range=f"bytes={offset}-{last}")
                    part = answer["Body"].read()
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
        return {key: int(about["Size"]) for key, about in self.objects(prefix)}

    def objects(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Every object below a prefix: its key, and its entry as S3 lists it.

        Raises:
            StoreAway: the store does not answer.
        """
        root = self.path("")
        pages = self.client.get_paginator("list_objects_v2")
        with answers(prefix):
            listed = [
                about
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.path(prefix))
                for about in page.get("Contents", ())
            ]
        for about in listed:
            if not about["Key"].endswith("/"):  # placeholders of folders, which S3 consoles create
                yield about["Key"][len(root) :], about

    def remove(self, keys: Collection[str]) -> None:
        """
        Raises:
            StoreAway: some objects may remain.
        """
        objects = [{"Key": self.path(key)} for key in keys]
        for start in range(0, len(objects), MAX_REMOVED):
            batch = objects[start : start + MAX_REMOVED]
            with answers("remove"):
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise StoreAway(f"{error['Key']}: {error.get('Message') or error.get('Code')}")


@contextmanager
def answers(key: str) -> Iterator[None]:
    """Converts errors of boto3 to ours.

    Raises:
        NotStored: there is no such object.
        StoreAway: anything else.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            raise StoreAway("the bucket of STORAGE_URL does not exist: create it") from error
        if code in MISSING:
            raise NotStored(key) from error
        if code in DENIED:
            raise StoreAway(f"access is denied ({error}): check STORAGE_ACCESS_KEY, STORAGE_SECRET_KEY") from error
        raise StoreAway(str(error)) from error
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
