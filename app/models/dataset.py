"""Datasets and their revisions."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.imports import DatasetReport, ImportOptions, RevisionOrigin
from app.models.base import Created, JSONText, Model, Shared, Transitions, UTCDateTime, now
from app.models.status import DatasetStatus, RevisionStatus

if TYPE_CHECKING:
    from app.models.training import Training


class Dataset(Created, Shared, Transitions, Model):
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
    error: Mapped[str | None] = mapped_column(Text)  # the reason if it is invalid
    # decisions of the import and counts of the dataset check; see services/datasets
    report: Mapped[DatasetReport] = mapped_column(JSONText, default=dict)

    # number of the current version; None: none was built yet, or the dataset is older than versions
    revision: Mapped[int | None]
    format: Mapped[str | None] = mapped_column(String(20))  # of the upload: yolo, coco, voc ...

    revisions: Mapped[list["DatasetRevision"]] = relationship(
        back_populates="dataset", cascade="all, delete-orphan", order_by="DatasetRevision.number"
    )
    trainings: Mapped[list["Training"]] = relationship(back_populates="dataset")


class DatasetRevision(Transitions, Model):
    """A version of a dataset; its files are below `revisions/{number}` and never change once it is ready.

    Its findings, images and statistics are in its index.sqlite.
    """

    __tablename__ = "dataset_revision"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 1
    status: Mapped[str] = mapped_column(String(20), default=RevisionStatus.BUILDING, index=True)
    hash: Mapped[str | None] = mapped_column(String(64))  # SHA-256 of images, labels, classes and split
    origin: Mapped[RevisionOrigin] = mapped_column(JSONText, default=dict)
    options: Mapped[ImportOptions] = mapped_column(JSONText, default=dict)
    classes: Mapped[list[str]] = mapped_column(JSONText, default=list)
    task: Mapped[str] = mapped_column(String(20), default="detect", server_default="detect")
    format: Mapped[str | None] = mapped_column(String(20))
    total_images: Mapped[int] = mapped_column(default=0, server_default="0")
    train_images: Mapped[int] = mapped_column(default=0, server_default="0")
    val_images: Mapped[int] = mapped_column(default=0, server_default="0")
    test_images: Mapped[int] = mapped_column(default=0, server_default="0")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    report: Mapped[DatasetReport] = mapped_column(JSONText, default=dict)
    error: Mapped[str | None] = mapped_column(Text)  # why it failed, or why it cannot be used for training
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    dataset: Mapped[Dataset] = relationship(back_populates="revisions")
