"""Copies and verifies the files of a backup, in small steps that yield to other requests."""

import hashlib
import json
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from app.services.backup.read_models import BackupManifest
from app.services.storage.unpack import Pacer, sync_folder

MANIFEST = "manifest.json"
FILES = {"best.pt": "run/weights/best.pt", "config.yaml": "config.yaml", "results.csv": "run/results.csv"}
PIECE = 256 * 1024


@dataclass(frozen=True)
class StoredBackup:
    """One backup: its folder and its manifest."""

    folder: Path
    manifest: BackupManifest

    @property
    def training_id(self) -> int:
        return int(self.manifest["training_id"])


def slug(name: str) -> str:
    """A training's name for a folder's name: ASCII letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "training"


def copy(source: Path, target: Path) -> str:
    """Copy in small steps, synced; the SHA-256 of the bytes read."""
    digest, pacer = hashlib.sha256(), Pacer()
    with open(source, "rb") as file, open(target, "wb") as copied:
        while piece := file.read(PIECE):
            digest.update(piece)
            copied.write(piece)
            pacer()
    sync_folder(target)  # in a process, since this can take a second
    return digest.hexdigest()


def restore_file(source: Path, target: Path) -> None:
    """Copy a file to its path, synced and by a rename."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        copy(source, draft)
        os.replace(draft, target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def damaged(backup: StoredBackup) -> list[str]:
    """Names of files that are missing or differ from the manifest."""
    return [name for name, file in backup.manifest["files"].items() if hash_of(backup.folder / name) != file["sha256"]]


def hash_of(path: Path) -> str | None:
    """SHA-256 of a file; None: it can't be read."""
    digest, pacer = hashlib.sha256(), Pacer()
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                pacer()
    except OSError:
        return None
    return digest.hexdigest()


def read_manifest(folder: Path) -> BackupManifest | None:
    """The manifest of a backup; None: there is none, or it is damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest if is_manifest(manifest) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def is_manifest(manifest: Any) -> TypeGuard[BackupManifest]:
    """Whether this JSON has the structure of a backup's manifest.

    Raises:
        TypeError: its structure is different.
        KeyError: the same.
        ValueError: the same.
        AttributeError: the same.
        OverflowError: the same.
    """
    int(manifest["training_id"])  # a foreign manifest may have 1e400, which is not an integer
    names = ("name", "important", "dataset", "metrics", "written", "best_epoch")
    return (
        isinstance(manifest["source"], dict)
        and isinstance(manifest["training"], dict)
        and isinstance(manifest["epochs"], list)
        and "best.pt" in manifest["files"]
        and manifest["files"].keys() <= FILES.keys()
        and all(isinstance(file["sha256"], str) and int(file["bytes"]) >= 0 for file in manifest["files"].values())
        and all(name in manifest for name in names)
    )
