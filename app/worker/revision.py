"""Hashes a dataset's version: its images, labels, classes and split."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import yaml

from app.core.files import atomic_write, file_hash
from app.core.splits import SPLITS

CACHE = ".revision.json"  # beside the dataset: the last hash, and the signature it is valid for
KINDS = ("images", "labels", "masks")
BATCH = 512  # files per batch
GENERATED_SUFFIXES = {".cache", ".npy", ".tmp"}  # files that trainings create beside images and labels


class StartWeights(TypedDict):
    """The file of a training's initial weights."""

    name: str
    sha256: str
    bytes: int


def dataset_revision(data_yaml: Path, hashes: Mapping[str, str] | None = None) -> str:
    """SHA-256 over the files, class names and split of a dataset, independent of times and locations of files.

    Computed once, then cached in a file beside the dataset while sizes and modification times are unchanged.

    Args:
        data_yaml: our dataset.yaml, or the folder of a dataset without one.
        hashes: known SHA-256 of files, by name below the folder.

    Raises:
        OSError: the dataset cannot be read.
    """
    folder = data_yaml if data_yaml.is_dir() else data_yaml.parent
    names = description(data_yaml)
    listed = sorted(files(folder))
    present = signature(names, listed)
    cached = read_cache(folder / CACHE)
    if cached.get("signature") == present:
        return cached["revision"]
    revision = content_hash(folder, names, [name for name, *_ in listed], hashes or {})
    write_cache(folder / CACHE, {"signature": present, "revision": revision})
    return revision


def description(data_yaml: Path) -> str:
    """Classes and split of a dataset.yaml as one line of JSON, without the dataset's path."""
    if data_yaml.is_dir():
        return "{}"
    document = yaml.safe_load(data_yaml.read_text(encoding="utf-8"))
    return json.dumps({key: value for key, value in sorted(document.items()) if key != "path"}, sort_keys=True)


def files(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """Each file that a training reads: name below the folder, bytes, modification time (ns), and ctime or, for hard
    links, the inode.
    """
    roots = [folder / kind for kind in KINDS if (folder / kind).is_dir()]
    roots = roots or [folder / split for split in SPLITS if (folder / split).is_dir()]  # class folders
    for root in roots:
        yield from walk(root, len(str(folder)) + 1)


def walk(folder: Path | str, skip: int) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, skip)
            elif not entry.name.startswith(".") and os.path.splitext(entry.name)[1] not in GENERATED_SUFFIXES:
                stat = entry.stat()
                # A new link to a file changes its ctime; a file with several links is an object, which never changes.
                mark = stat.st_ino if stat.st_nlink > 1 else stat.st_ctime_ns
                yield entry.path[skip:].replace(os.sep, "/"), stat.st_size, stat.st_mtime_ns, mark


def signature(names: str, entries: list[tuple[str, int, int, int]]) -> str:
    """A value that changes when any file does, computed without reading the files."""
    total = hashlib.sha256(names.encode())
    for item in entries:
        total.update(repr(item).encode("utf-8", "backslashreplace"))
    return total.hexdigest()


def content_hash(folder: Path, names: str, paths: list[str], hashes: Mapping[str, str]) -> str:
    """The hash of the dataset's contents."""
    total = hashlib.sha256(names.encode())
    with ThreadPoolExecutor(max(2, len(os.sched_getaffinity(0)))) as pool:  # hashing releases the GIL
        for start in range(0, len(paths), BATCH):  # a future for each file at once would take 1 KB each
            batch = paths[start : start + BATCH]
            digests = pool.map(lambda name: hashes.get(name) or file_hash(folder / name), batch)
            for name, digest in zip(batch, digests, strict=True):
                total.update(b"\n" + name.encode("utf-8", "surrogateescape") + b"\0" + digest.encode())
    return total.hexdigest()


def start_weights(model: Any) -> StartWeights | None:
    """Name, SHA-256 and size of the file with a training's initial weights; None for a model built from scratch."""
    path = Path(str(model))
    if path.suffix != ".pt" or not path.is_file():
        return None
    return {"name": path.name, "sha256": file_hash(path), "bytes": path.stat().st_size}


def read_cache(path: Path) -> dict[str, str]:
    try:
        cached = json.loads(path.read_text(encoding="utf-8"))
        return cached if isinstance(cached, dict) and isinstance(cached.get("revision"), str) else {}
    except (OSError, ValueError):
        return {}


def write_cache(path: Path, cached: dict[str, str]) -> None:
    try:
        atomic_write(path, lambda draft: draft.write_text(json.dumps(cached), encoding="utf-8"))
    except OSError:  # a read-only dataset is hashed each time
        pass
