"""Cleans up, and catches up on missed work: at the server's start, then every hour."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import delete, select

from app.config import settings
from app.database import writing
from app.extensions import db, socketio
from app.models import Checkpoint, Estimate, IdempotencyKey, Training, TrainingStatus, now
from app.services import Services
from app.services.estimate import RETENTION as ESTIMATE_RETENTION
from app.services.storage.unpack import Pacer, remove_tree
from app.services.trainer.checkpoints import resumable
from app.services.trainer.views import copy_index

logger = logging.getLogger("yolo.janitor")

FIRST_S, EVERY_S = 5.0, 3600.0
KEY_RETENTION = timedelta(hours=24)
LEFTOVER_AGE = timedelta(hours=24)  # age of an abandoned temporary file
UNUSED = timedelta(hours=1)  # a newly stored image gets its first link soon
ENDED = (TrainingStatus.COMPLETED, TrainingStatus.FAILED, TrainingStatus.CANCELLED)


class Janitor:
    """Periodic cleaning.

    Args:
        services: whose files and rows are cleaned.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def run(self, app: Flask) -> None:
        """Sweep repeatedly. The body of a background task."""
        socketio.sleep(FIRST_S)
        while self.services.installation.is_open:
            with app.app_context():
                self.sweep(now())
            socketio.sleep(EVERY_S)

    def sweep(self, time: datetime) -> dict[str, int]:
        """Run each task once; counts by task. A failure does not stop the others. Nothing runs while read-only, or
        while another process leads.
        """
        if self.services.installation.verdict or not self.services.jobs.cluster.leads:
            return {}
        jobs: dict[str, Callable[[datetime], int]] = {
            "trash": self.empty_trash,
            "idempotency keys": self.forget_keys,
            "estimates": self.forget_estimates,
            "checkpoints": self.remove_checkpoints,
            "temporary files": self.remove_leftovers,
            "images": self.remove_objects,
            "jobs": self.forget_jobs,
            "uploads": self.forget_uploads,
            "exports": self.remove_exports,
            "predictions": self.remove_predictions,
            "backups": self.create_backups,
            "copies of previews": self.copy_previews,
        }
        return {name: self.attempt(name, job, time) for name, job in jobs.items()}

    def attempt(self, name: str, job: Callable[[datetime], int], time: datetime) -> int:
        try:
            count = job(time)
        except Exception:
            logger.exception("the janitor's task %s has failed", name)
            return 0
        finally:
            db.session.rollback()
        if count:
            logger.info("%s: %d", name, count)
        return count

    def empty_trash(self, time: datetime) -> int:
        """Delete trainings that were moved to the trash more than TRASH_DAYS ago, with their files."""
        return len(self.services.trainer.trash.purge_trash(time - timedelta(days=settings().TRASH_DAYS)))

    def forget_keys(self, time: datetime) -> int:
        return forget(IdempotencyKey, time - KEY_RETENTION)

    def forget_estimates(self, time: datetime) -> int:
        return forget(Estimate, time - ESTIMATE_RETENTION)

    def remove_checkpoints(self, time: datetime) -> int:
        """Delete resumable checkpoints of trainings that ended more than CHECKPOINT_DAYS ago.

        Except those of important trainings, those retained by save_period, and those that a waiting training starts
        from.
        """
        days = settings().CHECKPOINT_DAYS
        if not days:
            return 0
        old = (Training.end_time < time - timedelta(days=days)) & Training.status.in_(ENDED) & ~Training.important
        count, pacer = 0, Pacer()
        for training_id in db.session.scalars(select(Training.id).where(old)).all():
            folder = self.services.storage.training_dir(training_id)
            pacer()
            if resumable(folder):
                count += self.remove_checkpoints_of(training_id, folder, old)
        return count

    def remove_checkpoints_of(self, training_id: int, folder: Path, old: Any) -> int:
        """Delete the rows and, by renames in the same transaction, the files of outdated checkpoints."""
        aside = self.services.storage.new_tmp()
        with writing() as session:
            row = session.scalar(select(Training).where(Training.id == training_id, old).with_for_update())
            if row is None:  # resumed or marked as important meanwhile
                return 0
            mine = (Checkpoint.training_id == training_id) & Checkpoint.resumable & ~Checkpoint.is_best
            needed = set(session.scalars(select(Checkpoint.epoch).where(mine, Checkpoint.periodic)))
            needed |= epochs_in_use(session, training_id)
            session.execute(delete(Checkpoint).where(mine, Checkpoint.epoch.not_in(needed)))
            files = [folder / checkpoint.path for checkpoint in resumable(folder) if checkpoint.epoch not in needed]
            aside.mkdir(parents=True)
            for path in files:
                os.replace(path, aside / path.name)
        remove_tree(aside)
        return len(files)

    def remove_leftovers(self, time: datetime) -> int:
        """Delete leftovers in data/tmp; a folder's age is that of its newest part."""
        limit, count = (time - LEFTOVER_AGE).timestamp(), 0
        for path in list(self.services.storage.tmp.iterdir()):
            if max(change_times(path), default=limit) < limit:
                remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
                count += 1
        self.services.backups.tidy(limit)
        return count

    def remove_objects(self, time: datetime) -> int:
        """Delete stored images that no dataset uses any more."""
        return self.services.datasets.restart.remove_unused_objects((time - UNUSED).timestamp())

    def forget_jobs(self, _time: datetime) -> int:
        """Delete rows and files of jobs that ended long ago."""
        return self.services.jobs.remove_old()

    def forget_uploads(self, time: datetime) -> int:
        """Delete expired uploads, and the records of completed ones."""
        return self.services.uploads.remove_expired(time)

    def remove_exports(self, _time: datetime) -> int:
        """Set aside folders of model exports without a row."""
        return self.services.model_exports.set_unknown_aside()

    def remove_predictions(self, _time: datetime) -> int:
        """Set aside folders of predictions without a row."""
        return self.services.predictions.set_unknown_aside()

    def create_backups(self, _time: datetime) -> int:
        """Create missed backups: the server was down, the disk was full, or the training was marked later."""
        backups = self.services.backups
        return sum(backups.backup_if_due(training_id) for training_id in backups.all_due())

    def copy_previews(self, _time: datetime) -> int:
        """Convert the preview index of runs of older versions, which had a single one."""
        return sum(copy_index(path.parent) for path in list(self.services.storage.models.glob("*/previews/index.json")))


def forget(model: Any, older_than: datetime) -> int:
    """Delete the rows created before this time."""
    if not db.session.scalar(select(model.created_at).where(model.created_at < older_than).limit(1)):
        return 0
    with writing() as session:
        result: Any = session.execute(delete(model).where(model.created_at < older_than))
        return result.rowcount


def epochs_in_use(session: Any, training_id: int) -> set[int]:
    """Epochs of this training whose checkpoints an unfinished training starts from."""
    starts = session.scalars(select(Training.start).where(Training.status.not_in(ENDED), Training.id != training_id))
    names = [start["checkpoint"] for start in starts if start and start.get("training_id") == training_id]
    return {epoch for epoch in names if isinstance(epoch, int)}


def change_times(path: Path) -> Iterator[float]:
    """The modification times of a file, or of each part of a folder, in seconds since the epoch."""
    yield path.lstat().st_mtime
    for parent, folders, names in os.walk(path):
        for name in (*folders, *names):
            yield os.lstat(os.path.join(parent, name)).st_mtime


def start_janitor(app: Flask, services: Services) -> None:
    """Start the janitor in the background."""
    socketio.start_background_task(Janitor(services).run, app)
