"""Models in the formats of other runtimes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.exports import ExportArguments, ExportDetails, Verification
from app.core.failure import JobFailure
from app.core.thresholds import Threshold
from app.models.base import Created, JSONText, Model, UTCDateTime, now


class ModelExport(Created, Model):
    """A training's weights in one format; its files are below `data/models/{training_id}/exports/{id}`.

    Downloadable only if `completed`: converted, and verified against the .pt. Until its job has ended, its status is
    the job's.
    """

    __tablename__ = "model_export"
    __table_args__ = (Index("ix_model_export_training_key", "training_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))  # hash of the weights, the format and the arguments
    format: Mapped[str] = mapped_column(String(30))
    arguments: Mapped[ExportArguments] = mapped_column(JSONText, default=dict)  # img_size, half, int8, …
    weights_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(20), default="pending")
    job_id: Mapped[int | None]
    error: Mapped[JobFailure | None] = mapped_column(JSONText)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    verification: Mapped[Verification | None] = mapped_column(JSONText)
    thresholds: Mapped[list[Threshold]] = mapped_column(JSONText, default=list, server_default="[]")
    details: Mapped[ExportDetails] = mapped_column(JSONText, default=dict, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
