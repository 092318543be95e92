"""Lists of files as objects that carry their own hash; and the check of which of their paths may be written."""

import gzip
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from app.object_store.errors import Corrupted


def seal(document: Mapping[str, object]) -> bytes:
    """The JSON of a document, preceded by its hash."""
    data = gzip.compress(json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass"), 5, mtime=0)
    return hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def unseal(data: bytes) -> Any:
    """
    Raises:
        Corrupted: it is truncated, or was changed.
    """
    digest, _, packed = data.partition(b"\n")
    if hashlib.sha256(packed).hexdigest().encode() != digest:
        raise Corrupted("a list of files is not what was stored")
    return json.loads(gzip.decompress(packed).decode("utf-8", "surrogatepass"))


def is_below(name: str, roots: Collection[str]) -> bool:
    """Whether a path is one of these or below one, and does not escape it."""
    parts = name.split("/")
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        return False
    return any(PurePosixPath(name).is_relative_to(root) for root in roots)
