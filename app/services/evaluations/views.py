"""Matches an evaluation's detections at any confidence and IoU, without the model, and caches the result."""

import json
import logging
import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from flask_babel import gettext as _

from app.core.curves import ClassCurve, NamedCurves
from app.core.files import sync_file
from app.core.outcome_files import (
    CURVES,
    LABEL_ERRORS,
    OUTCOMES,
    Picture,
    read_only,
    read_pictures,
    view_name,
    write_label_errors,
    write_view,
)
from app.database import refuse_writes
from app.errors import Conflict, NoSpace, NotFound, Unavailable
from app.services.datasets.index import STEPS, shows_damage, yield_to_loop
from app.services.storage.damaged import set_file_aside
from app.services.trainer.documents import numbers
from app.threads import run_blocking

logger = logging.getLogger("yolo.evaluations")

MAX_CACHED_VIEWS = 8  # in addition to the default view
ATTEMPTS = 3  # to open a view that other requests remove meanwhile
WAIT_S = 20.0  # for a matching of another request: one at a time, or a slider would slow down everyone

# Errors from contradictory files. The program may be at fault, so nothing is set aside for them.
INCONSISTENT = (IndexError, KeyError, TypeError, ValueError)

_matching = threading.Lock()

Write = Callable[[Path, Iterable[Picture]], None]


class DamagedEvaluation(Conflict):
    """The files of an evaluation cannot be read."""

    def __init__(self) -> None:
        super().__init__(
            _("The stored results of this evaluation are damaged and were moved away. Run the evaluation again.")
        )


class Inconsistent(Conflict):
    """The files of an evaluation contradict each other."""

    def __init__(self) -> None:
        super().__init__(_("The stored results of this evaluation can't be read. Run the evaluation again."))


def no_files() -> NotFound:
    return NotFound(_("The files of this evaluation aren't on the server. Run the evaluation again."))


class EvaluationFiles:
    """The files of one evaluation.

    Args:
        folder: of the files.
        confidence, iou: of the view that its program wrote, which is never evicted.
    """

    def __init__(self, folder: Path, confidence: float, iou: float) -> None:
        self.folder, self.confidence, self.iou = folder, confidence, iou
        self.default_name = view_name(confidence, iou)

    def default(self) -> Path:
        """The view that the evaluation's program wrote."""
        return self.view(self.confidence, self.iou)

    def curves(self) -> NamedCurves | None:
        """The precision, recall and F1 curves of an evaluation.

        Raises:
            Damaged: a file of the evaluation cannot be read.
            NotFound: it was deleted.
        """
        try:
            return check_curves(json.loads(self.required(CURVES).read_bytes()))
        except FileNotFoundError as error:  # deleted meanwhile
            raise no_files() from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            set_file_aside(self.folder / CURVES, error)
            raise DamagedEvaluation from error

    def required(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise no_files()
        return path

    def view(self, confidence: float, iou: float) -> Path:
        """The file of the outcomes at these thresholds, cached."""
        path = self.folder / view_name(confidence, iou)
        return self.derived(path, lambda draft, pictures: write_view(draft, pictures, confidence, iou))

    def suspects(self) -> Path:
        """The file of likely label errors, cached."""
        return self.derived(self.folder / LABEL_ERRORS, write_label_errors)

    def derived(self, path: Path, write: Write) -> Path:
        """A file computed from the images by `write`, cached."""
        if not path.is_file():
            source = self.required(OUTCOMES)
            refuse_writes()
            try:
                with one_at_a_time():
                    if not path.is_file():  # computed meanwhile by another request
                        run_blocking(write_atomically, source, path, write)
                        self.evict(path.name)
            except (sqlite3.DatabaseError, struct.error) as error:
                if not source.exists():  # deleted meanwhile
                    raise no_files() from error
                if "full" in str(error):
                    raise NoSpace(_("The disk is full. Free some space and try again.")) from error
                if isinstance(error, sqlite3.Error) and not shows_damage(error):
                    raise
                set_file_aside(source, error)
                raise DamagedEvaluation from error
            except INCONSISTENT as error:
                logger.exception("%s could not be matched", source)
                raise Inconsistent from error
        return path

    def evict(self, newest: str) -> None:
        views = [path for path in self.folder.glob("view-*.sqlite") if path.name not in {newest, self.default_name}]
        # leftovers of a killed server, since only one is computed at a time
        drafts = list(self.folder.glob(".*.sqlite-*"))
        for path in [*drafts, *sorted(views, key=lambda item: item.stat().st_mtime)[: -MAX_CACHED_VIEWS + 1]]:
            path.unlink(missing_ok=True)

    def opened(self, confidence: float, iou: float) -> AbstractContextManager[sqlite3.Connection]:
        """A view, with the images as `seen.image`.

        Raises:
            Damaged: a file of the evaluation cannot be read.
            Inconsistent: its files contradict each other.
            NotFound: one was deleted.
        """
        return self.connected(lambda: self.view(confidence, iou))

    def opened_suspects(self) -> AbstractContextManager[sqlite3.Connection]:
        """`suspects`, with the images as `seen.image`.

        Raises:
            Damaged: a file of the evaluation cannot be read.
            NotFound: it was deleted.
        """
        return self.connected(self.suspects)

    @contextmanager
    def connected(self, create: Callable[[], Path]) -> Iterator[sqlite3.Connection]:
        path, opened = opened_of(create)
        with closing(opened) as connection:
            connection.set_progress_handler(yield_to_loop, STEPS)
            try:
                connection.execute("ATTACH ? AS seen", [read_only(self.required(OUTCOMES))])
                yield connection
            except (sqlite3.DatabaseError, struct.error) as error:
                if not (self.folder / OUTCOMES).exists():  # deleted meanwhile
                    raise no_files() from error
                if isinstance(error, sqlite3.Error) and not shows_damage(error):
                    raise
                set_file_aside(self.folder / OUTCOMES if not is_readable(self.folder / OUTCOMES) else path, error)
                raise DamagedEvaluation from error
            except INCONSISTENT as error:
                logger.exception("%s could not be read", path)
                path.unlink(missing_ok=True)  # the derived file may be at fault, and can be rebuilt
                raise Inconsistent from error


def opened_of(create: Callable[[], Path]) -> tuple[Path, sqlite3.Connection]:
    """The path that `create` returns, and a connection to it; created again if it cannot be read.

    Raises:
        Unavailable: other requests evicted it repeatedly.
    """
    for _number in range(ATTEMPTS):
        path = create()
        if not is_readable(path):
            set_file_aside(path, "it cannot be read")
            path = create()
        try:
            return path, connect(path)
        except sqlite3.OperationalError:
            continue
    raise busy()


def check_curves(curves: NamedCurves | None) -> NamedCurves | None:
    """Validate curves.json, for CurvesOut and `advise`.

    Raises:
        ValueError: it is invalid.
        TypeError: the same.
        KeyError: the same.
        AttributeError: the same.
    """
    if curves is None:
        return None
    rows: list[ClassCurve] = [curves, *curves["classes"]]
    for curve in rows:
        for values in (curve["precision"], curve["recall"], curve["f1"]):
            numbers(*values)
            if len(values) != len(curves["x"]):
                raise ValueError("lists of different lengths")
    numbers(*curves["x"])
    for item in curves["classes"]:
        str.encode(item["name"])
    return curves


def is_readable(path: Path) -> bool:
    """Whether the file's tables and the last row of each can be read; a complete read would take too long for a
    request.
    """
    try:
        with closing(connect(path)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in tables:
                connection.execute(f"SELECT * FROM {name} ORDER BY rowid DESC LIMIT 1").fetchone()  # noqa: S608
            return bool(tables)
    except sqlite3.DatabaseError:
        return False


def connect(path: Path) -> sqlite3.Connection:
    """Open a file of an evaluation for reading, with rows by name."""
    connection = sqlite3.connect(read_only(path), uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def busy() -> Unavailable:
    return Unavailable(_("Other thresholds are being computed. Try again in a few seconds."))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Acquire the only slot for matching detections, or fail after WAIT_S seconds.

    Raises:
        Unavailable: the slot was not released in time.
    """
    if not _matching.acquire(timeout=WAIT_S):
        raise busy()
    try:
        yield
    finally:
        _matching.release()


def write_atomically(source: Path, target: Path, write: Write) -> None:
    """Compute a file from every image, and rename it into place when it is complete."""
    draft = target.with_name(f".{target.name}-{os.urandom(4).hex()}")
    try:
        write(draft, read_pictures(source))
        sync_file(draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
