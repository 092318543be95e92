"""Watches a running server's database file: whether it is still the one that belongs to the data folder."""

import logging

from app.database_file import DatabaseFile
from app.extensions import db
from app.services.installation.examine import Verdict
from app.threads import run_blocking

logger = logging.getLogger("yolo.installation")


class DatabaseWatch:
    """Watches one database file; PostgreSQL has none, and no verdict."""

    def __init__(self) -> None:
        self.file: DatabaseFile | None = None  # of a server that runs
        self._problem: str | None = None  # when it was last asked

    def __str__(self) -> str:
        return str(self.file or "PostgreSQL")

    def begin(self, file: DatabaseFile | None) -> None:
        """The file that is there now is the right one."""
        self.file = file
        self.remember()

    def remember(self) -> None:
        """Remember the file and its log: another file may replace it."""
        if self.file is not None:
            self.file.remember()

    def verdict(self) -> Verdict | None:
        """Why nothing may be written; None: it is the file that was opened. A change is reported once."""
        problem = self.file.problem() if self.file else None
        if problem != self._problem:
            self._problem = problem
            log = logger.error if problem else logger.info
            log("the database file %s is %s", self.file, problem or "back: the server continues")
        return Verdict(f"file_{problem}") if problem else None

    def checkpoint_log(self) -> None:
        """Checkpoint the write-ahead log into the file while it is the right one."""
        if self.file is not None and self.verdict() is None:
            run_blocking(self.file.checkpoint)

    def open_another(self) -> bool:
        """Open the file that is there now, where it was replaced; whether it was. SQLite leaves the log of the one
        before, and would apply it to this one."""
        if self.file is None or self.file.problem() != "replaced":
            return False
        db.session.remove()
        db.engine.dispose()
        self.file.sort_logs(ours=False)
        self.file.remember()
        return True
