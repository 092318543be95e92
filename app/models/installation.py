"""The pairing of a database with its data folder."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UTCDateTime, now


class Installation(Model):
    """A single row: the id that this database shares with its data folder, and the highest ids used.

    SQLite reuses the id of a deleted last row; the highest ids are recorded here and in the folder, so that a new row
    never gets an old row's folder.
    """

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    uuid: Mapped[str] = mapped_column(String(32))
    last_dataset: Mapped[int] = mapped_column(default=0, server_default="0")
    last_training: Mapped[int] = mapped_column(default=0, server_default="0")
    last_test: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
