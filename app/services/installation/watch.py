"""Watches a running server's database file: whether it is still the one that belongs to the data folder."""

import logging

from app.database_file import DatabaseFile
from app.extensions import db
from app.services.installation.examine import Verdict
from app.threads import run_blocking

logger = logging.getLogger("yolo.installation")


class DatabaseWatch:
    """Watches one database file; for PostgreSQL, there is none, and no verdict."""

    def __init__(self) -> None:
        self.file: DatabaseFile | None = None  # None: the server is not running
        self._problem: str | None = None  # at the last check

    def __str__(self) -> str:
        return str(self.file or "PostgreSQL")

    def begin(self, file: DatabaseFile | None) -> None:
        """Record the present file as the right one."""
        self.file = file
        self.remember()

    def remember(self) -> None:
        """Record the file and its log, so that a replacement is detected."""
        if self.file is not None:
            self.file.remember()

    def verdict(self) -> Verdict | None:
        """Why writes are not allowed; None: it is still the opened file. A change is logged once."""
        problem = self.file.problem() if self.file else None
        if problem != self._problem:
            self._problem = problem
            log = logger.error if problem else logger.info
            log("the database file %s is %s", self.file, problem or "back: the server continues")
        return Verdict(f"file_{problem}") if problem else None

    def checkpoint_log(self) -> None:
        """Checkpoint the write-ahead log into the file, while it is the right one."""
        if self.file is not None and self.verdict() is None:
            run_blocking(self.file.checkpoint)

    def open_another(self) -> bool:
        """Open the present file if it was replaced; returns whether it was. SQLite would apply the previous file's log
        to it.
        """
        if self.file is None or self.file.problem() != "replaced":
            return False
        db.session.remove()
        db.engine.dispose()
        self.file.sort_logs(ours=False)
        self.file.remember()
        return True
