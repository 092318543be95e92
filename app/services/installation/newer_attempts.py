"""Reconciles trainings that ran after the database was saved, once."""

import logging

from app.database import writing
from app.extensions import db
from app.models import Training
from app.services.installation.examine import newer_attempts
from app.services.storage import StorageService

logger = logging.getLogger("yolo.installation")


def raise_attempts(storage: StorageService) -> None:
    """Set rows to the newest attempts of their folders, whose events are then read from the start."""
    newer = list(newer_attempts(db.session, storage))
    db.session.rollback()
    if not newer:
        return
    with writing() as session:
        for training_id, attempt in newer:
            row = session.get_one(Training, training_id)
            row.attempt, row.event_seq, row.event_offset = attempt, 0, 0
            logger.info("training %d: set to attempt %d of its folder", training_id, attempt)
