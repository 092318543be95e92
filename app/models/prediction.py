"""Predictions of trained models on videos or many images."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.failure import JobFailure
from app.core.predictions import PredictionOptions, PredictionResult
from app.models.base import Created, JSONText, Model, UTCDateTime, now
from app.models.training import Training


class PredictionRun(Created, Model):
    """A prediction on a video or on many images; its files are below `data/predictions/{id}`.

    Until its job has ended, its status is the job's.
    """

    __tablename__ = "prediction_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"), index=True)
    source: Mapped[str] = mapped_column(String(20))  # video, images
    filename: Mapped[str] = mapped_column(String(255))  # as uploaded
    input_bytes: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[PredictionOptions] = mapped_column(JSONText, default=dict)
    status: Mapped[str] = mapped_column(String(20), default="pending")
    job_id: Mapped[int | None]
    error: Mapped[JobFailure | None] = mapped_column(JSONText)
    result: Mapped[PredictionResult | None] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    training: Mapped[Training] = relationship()
