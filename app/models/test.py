"""Tests of trained models on single images."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.shapes import Detection
from app.models.base import Created, JSONText, Model, Real, UTCDateTime, now
from app.models.training import Training


class Test(Created, Model):
    """One image that a trained model was tested on."""

    __test__ = False  # not a test case for pytest
    __tablename__ = "test"

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"), index=True)
    image_path: Mapped[str | None] = mapped_column(String(255))
    results: Mapped[list[Detection]] = mapped_column(JSONText, default=list)
    confidence_threshold: Mapped[Real]
    iou_threshold: Mapped[Real]
    inference_time: Mapped[Real | None]  # ms, the model alone
    total_time: Mapped[Real | None]  # ms, reading, letterbox and NMS included
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    training: Mapped[Training] = relationship(back_populates="tests")
