"""Evaluations of trained models."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.evaluate import EvaluationResult
from app.models.base import Created, JSONText, Model, UTCDateTime, now


class Evaluation(Created, Model):
    """A checkpoint of a training, measured on a split; its files are below the training's folder, in
    `evaluations/{token}`. Until its job has ended, its status is the job's.
    """

    __tablename__ = "evaluation"

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"), index=True)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id", ondelete="SET NULL"), index=True)
    revision: Mapped[int | None]  # None: the dataset is older than versions
    split: Mapped[str] = mapped_column(String(10))
    checkpoint: Mapped[str] = mapped_column(String(20))  # best, last, or the number of an epoch
    img_size: Mapped[int]
    # The dataset's class → the model's, None: excluded. None: the same classes in the same order.
    classes: Mapped[dict[str, str | None] | None] = mapped_column(JSONText)
    status: Mapped[str] = mapped_column(String(20), default="pending", server_default="pending")
    job_id: Mapped[int | None]
    token: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: uuid.uuid4().hex)
    result: Mapped[EvaluationResult | None] = mapped_column(JSONText)
    error: Mapped[str | None] = mapped_column(String(40))  # the code of a failure
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
