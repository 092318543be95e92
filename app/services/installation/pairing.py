"""Pairs a data folder with its database: ids of both sides, and the highest ids."""

import logging
import threading
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import OperationalError

from app.cluster import Cluster
from app.config import settings
from app.database import writing
from app.extensions import db, socketio
from app.models import Installation, now
from app.services.installation import mark
from app.services.installation.contents import Contents, highest_ids
from app.services.installation.examine import row_of
from app.services.installation.mark import KINDS, Mark
from app.services.storage import StorageService

logger = logging.getLogger("yolo.installation")


class Pairing:
    """Synchronizes the mark of a data folder (mark.py) with the row of its database.

    Args:
        storage: of the data folder.
        cluster: the processes that share it.

    Attributes:
        mark: as read by this process; None: the folder has none yet.
    """

    def __init__(self, storage: StorageService, cluster: Cluster) -> None:
        self.storage, self.cluster = storage, cluster
        self.mark: Mark | None = None
        self._marking = threading.Lock()
        self._mark_waits = False  # a write is scheduled

    def read(self) -> None:
        """Read the folder's mark."""
        self.mark = mark.read(self.storage.data_root)

    def pair(self, contents: Contents) -> None:
        """Set both sides to the same id and the higher of their highest ids."""
        row = row_of(db.session)
        db.session.rollback()
        try:
            if self.mark is None:
                self.mark = Mark(row.uuid if row else mark.new_uuid(), pairing=True)
                mark.write(self.storage.data_root, self.mark)
            self.pair_database(row, contents)
            self.pair_folder()
        except (OSError, OperationalError) as error:  # read-only now: the next start tries again
            logger.warning("%s cannot be marked: %s", self.storage.data_root, error)

    def pair_database(self, row: Any, contents: Contents) -> None:
        assert self.mark is not None
        highest = highest_ids(self.storage, contents, settings().BACKUP_DIR)
        raised = {kind: max(highest[kind], self.mark.highest[kind]) for kind in KINDS}
        columns = {f"last_{kind}": max(raised[kind], getattr(row, f"last_{kind}") if row else 0) for kind in KINDS}
        uuid = row.uuid if row else self.mark.uuid
        if row is not None and all(getattr(row, name) == value for name, value in columns.items()):
            self.mark.raise_to({kind: columns[f"last_{kind}"] for kind in KINDS})
            return
        with writing() as session:
            if row is None:
                session.execute(insert(Installation).values(id=1, uuid=uuid, created_at=now(), **columns))
            else:
                session.execute(update(Installation).values(**columns))
        self.mark.raise_to({kind: columns[f"last_{kind}"] for kind in KINDS})

    def pair_folder(self) -> None:
        """Write the folder's side, after the commit of the database's."""
        assert self.mark is not None
        row = row_of(db.session)
        db.session.rollback()
        self.mark.hand_over(row.uuid)
        self.mark.pairing = False
        mark.write(self.storage.data_root, self.mark)

    def floor(self, kind: str) -> int:
        """The highest id of a kind in the data folder."""
        return self.mark.highest[kind] if self.mark else 0

    def note(self, ids: dict[str, int]) -> None:
        """Record committed ids in the folder. Ids of tests need no sync, since their folders have them."""
        if self.mark is None or not self.mark.raise_to(ids):
            return
        if ids.keys() != {"test"}:
            self.write_mark()
        elif not self._mark_waits:
            self._mark_waits = True
            socketio.start_background_task(self.write_mark)

    @property
    def is_mark_current(self) -> bool:
        """Whether the folder's mark has all committed ids."""
        return not self._mark_waits and not self._marking.locked()

    def write_mark(self) -> None:
        """Write the folder's mark, in the last of the waiting writers."""
        with self._marking:
            self._mark_waits = False
            if self.mark is None:
                return
            try:
                if self.cluster.on and (stored := mark.read(self.storage.data_root)) is not None:
                    self.mark.raise_to(stored.highest)  # by other processes
                mark.write(self.storage.data_root, self.mark)
            except OSError as error:  # the next start raises it
                logger.warning("%s cannot be marked: %s", self.storage.data_root, error)
