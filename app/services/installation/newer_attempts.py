"""Reconciles trainings that ran after the database was saved: once; a later start does not repeat it."""

import logging

from app.database import writing
from app.extensions import db
from app.models import Training
from app.services.installation.examine import newer_attempts
from app.services.storage import StorageService

logger = logging.getLogger("yolo.installation")


def raise_attempts(storage: StorageService) -> None:
    """Set rows to the attempts of their folders; the newest attempt's events are read from its begin."""
    newer = list(newer_attempts(db.session, storage))
    db.session.rollback()
    if not newer:
        return
    with writing() as session:
        for training_id, attempt in newer:
            row = session.get_one(Training, training_id)
            row.attempt, row.event_seq, row.event_offset = attempt, 0, 0
            logger.info("training %d: %d attempts, as its folder has them", training_id, attempt)
