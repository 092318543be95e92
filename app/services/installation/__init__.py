"""InstallationService: checks that database and data folder belong together, and repairs it if they do not.

Both sides have the same id. If the ids differ, or if one side has entries that the other lacks, the server is read-only
until the right database is back or a person has decided.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flask import Flask

from app.cluster import Cluster
from app.database import upgrade_if_old
from app.errors import Conflict, WritesRefused
from app.extensions import db, socketio
from app.schemas.installation import Decided, InstallationOutValues
from app.services.installation import adopt, ids, mark, orphans, texts
from app.services.installation.contents import Contents
from app.services.installation.examine import Verdict, examine, row_of
from app.services.installation.mark import Mark
from app.services.installation.newer_attempts import raise_attempts
from app.services.installation.newer_revisions import adopt_newer, set_newer_aside
from app.services.installation.pairing import Pairing
from app.services.installation.watch import DatabaseWatch
from app.services.storage import StorageService

__all__ = ["InstallationService", "Verdict"]

logger = logging.getLogger("yolo.installation")

Work = Callable[[StorageService, Contents, bool], Decided]

POLL_INTERVAL_S = 2.0  # between two checks while the server is read-only


class InstallationService:
    """Guards the data folder.

    Args:
        storage: of the data folder.
        cluster: the processes that share it; the leader repairs what it finds.
    """

    def __init__(self, storage: StorageService, cluster: Cluster | None = None) -> None:
        self.storage = storage
        self.database = DatabaseWatch()
        self.cluster = cluster or Cluster()
        self.pairing = Pairing(storage, self.cluster)
        self._verdict: Verdict | None = None  # of the last examination
        self._start: Callable[[], None] = lambda: None
        self._started = False
        self._closed = False
        self._deciding = threading.Lock()
        self._allowed: ContextVar[bool] = ContextVar("allowed", default=False)
        ids.watch()

    # Checked before each write.

    @property
    def verdict(self) -> Verdict | None:
        """Why writes are not allowed now; None: they are."""
        return self._verdict or self.database.verdict()

    def refuse(self) -> None:
        """Check that database and data folder belong together, so that rows may be written.

        Raises:
            WritesRefused: they do not.
        """
        if not self._allowed.get() and (verdict := self.verdict):
            raise WritesRefused(texts.refusal(verdict), verdict.code)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Allows the writes of a decision itself."""
        token = self._allowed.set(True)
        try:
            yield
        finally:
            self._allowed.reset(token)

    # At the start.

    def begin(self, app: Flask, start: Callable[[], None]) -> None:
        """Examine both sides, then `start` the work; if they do not match, only once they do."""
        self._start = start
        self.database.begin(app.extensions["database_file"])
        app.extensions["write_guard"] = self.refuse
        verdict = self.examine()
        self.database.remember()  # again, since the examination created a log
        if verdict is None:
            self._started = True
            start()
        socketio.start_background_task(self.watch, app)

    def examine(self) -> Verdict | None:
        """Compare both sides; if they match, both get the same id, and folders that were set aside are restored."""
        self.pairing.read()
        before, (self._verdict, contents) = self._verdict, examine(db.session, self.storage, self.pairing.mark)
        db.session.rollback()
        if self._verdict is None:
            if self.cluster.leads:
                self.pairing.pair(contents)
                orphans.reconcile(self.storage, contents)
        elif self._verdict != before:
            logger.error(
                "READ-ONLY (%s): database %s, data folder %s; folders without a row: %s. Nothing is changed. "
                "Give the right database back and restart, or run: python -m scripts.installation adopt "
                "(take the folders into this database), or start-anew (set them aside)",
                self._verdict.code,
                self.database,
                self.storage.data_root,
                dict(self._verdict.unknown),
            )
        return self._verdict

    def examined(self) -> Verdict | None:
        """The verdict that a start would reach. Reads only."""
        verdict, _contents = examine(db.session, self.storage, mark.read(self.storage.data_root))
        db.session.rollback()
        return verdict

    def watch(self, app: Flask) -> None:
        """While the server is read-only, check whether both sides match again; otherwise watch the database file and
        checkpoint its log. The body of a background task.
        """
        while True:
            socketio.sleep(POLL_INTERVAL_S)
            if not self.is_open:
                return
            try:
                with app.app_context():
                    self.database.checkpoint_log()
                    self.recheck(app)
                    if self.pairing.mark is None:  # another process writes it
                        self.pairing.read()
            except Exception as error:
                logger.warning("the database could not be checked: %s", error)

    @property
    def is_open(self) -> bool:
        """Whether the server runs and its data folder exists."""
        return not self._closed and self.storage.data_root.is_dir()

    def close(self) -> None:
        """Stop watching. Called from a signal handler too, see `Services.close`."""
        self._closed = True

    def recheck(self, app: Flask) -> None:
        if self._verdict is None or not self._deciding.acquire(blocking=False):
            return
        try:
            if self.database.open_another():  # nothing is running that uses the previous one
                with self.allowed():
                    upgrade_if_old(app)
            with self.allowed():
                if self.examine() is None:
                    self.start_work()
        finally:
            self._deciding.release()

    def start_work(self) -> None:
        """Start the work, once. A failure ends the server: one without a queue must not report that it is ready."""
        if self._started or self._closed:
            return
        self._started = True
        logger.info("database and data folder belong together: the server continues")
        try:
            self._start()
        except Exception:
            if self._closed:  # it is already closing
                return
            logger.critical("the work cannot be started: the server ends", exc_info=True)
            os.kill(os.getpid(), signal.SIGTERM)

    # Deciding.

    def expect_paired(self) -> None:
        """Check that both sides match, before a command that writes, and read the folder's ids. Changes nothing.

        Raises:
            Conflict: they do not match.
        """
        if (verdict := self.examined()) is not None:
            raise Conflict(texts.refusal(verdict))
        self.pairing.read()

    def adopt(self) -> Decided:
        """Restore the rows of the folders in this database; returns the numbers.

        Raises:
            Conflict: there is nothing to decide.
        """
        return self.decide(adopt.adopt_folders, adopt_newer)

    def start_anew(self) -> Decided:
        """Set all folders aside that have no row in this database.

        Raises:
            Conflict: there is nothing to decide, or a training process still works in one of them.
        """
        return self.decide(orphans.set_all_aside, set_newer_aside)

    def decide(self, work: Work, revisions: Callable[[StorageService], int]) -> Decided:
        """Run `work` on the folders and `revisions` on newer versions in those that stay; then pair both sides and
        continue the server. Safe to repeat.
        """
        if not self._deciding.acquire(blocking=False):
            raise Conflict(texts.busy())
        try:
            with self.allowed():
                return self.carry_out(work, revisions)
        finally:
            self._deciding.release()

    def carry_out(self, work: Work, revisions: Callable[[StorageService], int]) -> Decided:
        self.pairing.read()
        verdict, contents = examine(db.session, self.storage, self.pairing.mark)
        db.session.rollback()
        if verdict is None or not verdict.decidable:
            raise Conflict(texts.nothing_to_decide())
        # so that a decision remains necessary until the end
        if self.pairing.mark is None and row_of(db.session) is None:
            self.pairing.mark = Mark(mark.new_uuid())
            mark.write(self.storage.data_root, self.pairing.mark)
        result = work(self.storage, contents, verdict.code == "other_database")
        if count := revisions(self.storage):
            logger.info("newer versions of datasets included in the decision: %d", count)
        self.pair_with_this_database()
        self._verdict = None
        logger.info("decided: %s", result)
        self.start_work()
        return result

    def pair_with_this_database(self) -> None:
        """Pair the folder with this database, whatever it was paired with before."""
        row = row_of(db.session)
        if row is not None and self.pairing.mark is not None:
            self.pairing.mark.hand_over(row.uuid)
        raise_attempts(self.storage)
        _verdict, contents = examine(db.session, self.storage, self.pairing.mark)
        db.session.rollback()
        self.pairing.pair(contents)
        orphans.reconcile(self.storage, contents)

    # Presenting.

    def state(self) -> InstallationOutValues:
        """As schemas.InstallationOut."""
        return texts.state(self.verdict)
