"""Copies important models outside `data/models`; each copy is complete, hash-checked and restorable."""

import json
import logging
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.config import settings
from app.core.files import sync_file
from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.jobs.disk import free_disk
from app.models import Checkpoint, Training, TrainingMetric, TrainingStatus, now
from app.services.backup.files import (
    FILES,
    MANIFEST,
    StoredBackup,
    copy,
    damaged,
    read_manifest,
    restore_file,
    slug,
)
from app.services.backup.read_models import BackupManifest
from app.services.backup.rows import COLUMNS, best_of, dataset_for, describe, start_of
from app.services.storage.unpack import remove_tree, sync_folder
from app.threads import run_in_background

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.backup")

LEFTOVER = re.compile(r"\.\d+-(?:[0-9a-f]+\.tmp|.*-[0-9a-f]+\.old)", re.ASCII)  # the folder may contain other files


class BackupService:
    """Creates, verifies and restores backups of models. It never deletes one.

    Args:
        storage: where the trainings are.
    """

    def __init__(self, storage: "StorageService") -> None:
        self.storage = storage

    @property
    def root(self) -> Path:
        return settings().BACKUP_DIR

    # Deciding.

    def start(self, training_id: int) -> None:
        """`backup_if_due` in the background."""
        run_in_background(self.backup_if_due, training_id)

    def backup_if_due(self, training_id: int) -> bool:
        """Back a training up if BACKUP_MODELS requires it and there is no current backup; returns whether one was
        created.

        For background tasks at a training's end, and the janitor: errors are logged, not raised.
        """
        try:
            return self.due(training_id) and not self.is_current(training_id) and bool(self.backup(training_id))
        except NotFound as error:  # repeated by the janitor: no traceback
            logger.warning("no backup of training %s: %s", training_id, error)
            return False
        except Exception:
            logger.exception("the backup of training %s has failed", training_id)
            return False
        finally:
            db.session.rollback()

    def all_due(self) -> list[int]:
        """The trainings that should have a backup."""
        there = select(Training.id).where(Training.status == TrainingStatus.COMPLETED, Training.deleted_at.is_(None))
        return [training_id for training_id in db.session.scalars(there) if self.due(training_id)]

    def due(self, training_id: int) -> bool:
        """Whether BACKUP_MODELS includes this training's model."""
        policy, row = settings().BACKUP_MODELS, db.session.get(Training, training_id)
        if row is None or row.status != TrainingStatus.COMPLETED or row.deleted_at is not None or policy == "none":
            return False
        return policy == "all" or row.important or (policy == "best" and best_of(row.dataset_id) == training_id)

    def is_current(self, training_id: int) -> bool:
        """Whether the newest backup has the present weights, by size and modification time, which a backup
        preserves.
        """
        source = self.storage.training_dir(training_id) / FILES["best.pt"]
        backup = self.find(training_id)
        if not source.is_file():
            return backup is not None
        stat = source.stat()
        return backup is not None and backup.manifest["source"] == {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}

    # Creating.

    def backup(self, training_id: int) -> StoredBackup:
        """Back up now, whatever BACKUP_MODELS says: copy to a draft, sync, verify, rename.

        Raises:
            NotFound: there is no such training, or it has no best.pt.
            OSError: writing failed; the draft was removed.
        """
        row = db.session.get(Training, training_id)
        source = self.storage.training_dir(training_id) / FILES["best.pt"]
        if row is None or not source.is_file():
            raise NotFound(f"Training {training_id} has no best.pt.")
        manifest: BackupManifest = {
            **describe(row),
            "source": {"bytes": source.stat().st_size, "mtime_ns": source.stat().st_mtime_ns},
            "files": {},
        }
        target = self.root / f"{training_id}-{slug(row.name)}"
        db.session.rollback()  # no transaction stays open while files are copied
        self.root.mkdir(parents=True, exist_ok=True)
        if free_disk(self.root) - source.stat().st_size < settings().DISK_RESERVE:
            raise OSError(28, "no backup: less than DISK_RESERVE would stay free", str(self.root))
        draft = self.root / f".{training_id}-{uuid.uuid4().hex}.tmp"
        try:
            self.fill(draft, training_id, manifest)
            self.install(draft, target, training_id)
        finally:
            if draft.exists():
                remove_tree(draft)
        logger.info("training %s backed up to %s", training_id, target)
        return StoredBackup(target, manifest)

    def fill(self, draft: Path, training_id: int, manifest: BackupManifest) -> None:
        """Write files and manifest to a draft, synced, and verify each file."""
        draft.mkdir()
        folder = self.storage.training_dir(training_id)
        for name, path in FILES.items():
            if (folder / path).is_file():
                digest = copy(folder / path, draft / name)
                manifest["files"][name] = {"sha256": digest, "bytes": (draft / name).stat().st_size}
        (draft / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
        sync_file(draft / MANIFEST)
        sync_folder(draft)
        if wrong := damaged(StoredBackup(draft, manifest)):
            raise OSError(5, f"the copy differs from what was written: {wrong}", str(draft))

    def install(self, draft: Path, target: Path, training_id: int) -> None:
        """Rename a draft to its folder. An earlier backup of the training stays until then."""
        aside = [(old.folder, self.root / f".{old.folder.name}-{uuid.uuid4().hex}.old") for old in self.of(training_id)]
        for folder, moved in aside:
            os.replace(folder, moved)
        try:
            os.replace(draft, target)
        except OSError:
            for folder, moved in aside:
                os.replace(moved, folder)
            raise
        sync_folder(self.root)
        for _, moved in aside:
            remove_tree(moved)

    def tidy(self, older_than: float) -> None:
        """Clean up after a crash: restore an earlier backup that was set aside, if the new one is missing.

        Args:
            older_than: seconds since the epoch; newer files may belong to a running backup.
        """
        leftovers = [path for path in self.root.glob(".*-*") if LEFTOVER.fullmatch(path.name) and path.is_dir()]
        for path in leftovers:
            if path.is_symlink() or path.stat().st_mtime > older_than:
                continue
            name = path.name[1:].rsplit("-", 1)[0]
            if path.suffix == ".old" and read_manifest(path) and not self.of(int(name.split("-")[0])):
                os.replace(path, self.root / name)
                logger.warning("the backup %s was restored after a crash", name)
            else:
                remove_tree(path)

    # Finding and verifying.

    def all(self) -> list[StoredBackup]:
        """All backups, by training; folders without a readable manifest are skipped."""
        return sorted(stored_backups(self.folders()), key=lambda backup: backup.training_id)

    def folders(self, training_id: int | None = None) -> list[Path]:
        """The folders of all backups, or of one training's."""
        pattern = r"\d+-.*" if training_id is None else rf"{training_id}-.*"
        folders = self.root.iterdir() if self.root.is_dir() else []
        return [path for path in folders if re.fullmatch(pattern, path.name) and path.is_dir()]

    def of(self, training_id: int) -> list[StoredBackup]:
        return stored_backups(self.folders(training_id))

    def find(self, training_id: int) -> StoredBackup | None:
        return next(iter(self.of(training_id)), None)

    def verify(self) -> dict[str, list[str]]:
        """The faults of each backup, by name: files that are missing or differ."""
        unreadable = {folder.name: [MANIFEST] for folder in self.folders() if not read_manifest(folder)}
        return unreadable | {backup.folder.name: damaged(backup) for backup in self.all()}

    # Restoring.

    def restore(self, training_id: int) -> int:
        """Restore the weights, or create a completed training with them; its id.

        Raises:
            NotFound: there is no such backup.
            Conflict: the backup is damaged, or its training is running.
        """
        backup = self.find(training_id)
        if backup is None:
            raise NotFound(f"There is no backup of training {training_id}.")
        if wrong := damaged(backup):
            raise Conflict(f"The backup {backup.folder.name} is damaged: {', '.join(wrong)}.")
        row = db.session.get(Training, training_id)
        if row is not None and row.status == TrainingStatus.RUNNING:
            raise Conflict(f"Training {training_id} runs now. Stop it first.")
        restored = row.id if row is not None else self.new_row(backup.manifest)
        db.session.rollback()
        folder = self.storage.training_dir(restored)
        for name in backup.manifest["files"]:
            restore_file(backup.folder / name, folder / FILES[name])
        with writing() as session:
            training = session.get_one(Training, restored)
            training.model_path = f"models/{restored}/{FILES['best.pt']}"
        logger.info("training %s restored from %s", restored, backup.folder)
        return restored

    def new_row(self, manifest: BackupManifest) -> int:
        """Create a row for a deleted training, under a new id, with its metrics."""
        with writing() as session:
            dataset = dataset_for(session, manifest)
            row = Training(name=manifest["name"][:100], dataset_id=dataset.id, status=TrainingStatus.COMPLETED, seq=1)
            described: Mapping[str, object] = manifest["training"]
            for name in COLUMNS:
                setattr(row, name, described[name])
            row.start = start_of(manifest)
            row.total_epochs, row.important = row.current_epoch, bool(manifest["important"])
            row.start_time = row.end_time = now()
            session.add(row)
            session.flush()
            if self.storage.training_dir(row.id).exists():  # the new id has no row, so the folder belongs to none
                self.storage.set_aside(self.storage.training_dir(row.id))
            session.add_all(TrainingMetric(training_id=row.id, **item) for item in manifest["epochs"])
            path, best = f"models/{row.id}/{FILES['best.pt']}", manifest["best_epoch"]
            size = manifest["files"]["best.pt"]["bytes"]
            session.add(Checkpoint(training_id=row.id, epoch=best, model_path=path, is_best=True, size_bytes=size))
            row.config_path, row.progress = f"models/{row.id}/config.yaml", {"stage": "completed", "best_epoch": best}
            return row.id


def stored_backups(folders: list[Path]) -> list[StoredBackup]:
    return [StoredBackup(folder, manifest) for folder in folders if (manifest := read_manifest(folder))]
