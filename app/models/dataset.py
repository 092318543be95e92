"""Datasets and what is wrong with them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import JSONText, Model, Transitions, UTCDateTime, now
from app.models.status import DatasetStatus

if TYPE_CHECKING:
    from app.models.training import Training


class Dataset(Transitions, Model):
    """An uploaded dataset; its files are under `path`."""

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    classes: Mapped[list[str]] = mapped_column(JSONText, default=list)
    total_images: Mapped[int] = mapped_column(default=0, server_default="0")
    train_images: Mapped[int] = mapped_column(default=0, server_default="0")
    val_images: Mapped[int] = mapped_column(default=0, server_default="0")
    test_images: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, onupdate=now)
    path: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20), default=DatasetStatus.PENDING, server_default="pending", index=True)

    task: Mapped[str] = mapped_column(String(20), default="detect")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)  # why it is invalid
    # decisions taken at import and what the validation counted; see services/datasets.py
    report: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)

    findings: Mapped[list["DatasetFinding"]] = relationship(back_populates="dataset", cascade="all, delete-orphan")
    trainings: Mapped[list["Training"]] = relationship(back_populates="dataset")


class DatasetFinding(Model):
    """One thing that is wrong with a dataset, by file and line."""

    __tablename__ = "dataset_finding"
    __table_args__ = (Index("ix_dataset_finding_dataset_severity", "dataset_id", "severity", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    severity: Mapped[str] = mapped_column(String(10))  # error, warning, info
    code: Mapped[str] = mapped_column(String(40))
    file: Mapped[str | None] = mapped_column(String(255))  # below the dataset's folder
    line: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)  # what fills the message's places

    dataset: Mapped[Dataset] = relationship(back_populates="findings")
