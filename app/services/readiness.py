"""Checks that the database and the folders are writable, by writing to them."""

import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from flask_babel import gettext as _
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.config import settings
from app.database import writing
from app.extensions import db
from app.limits import Bucket
from app.services.installation.texts import refusal

if TYPE_CHECKING:
    from app.services.installation import InstallationService

PROBE = 64 * 1024  # bytes; a small transaction writes about half of that to SQLite's log
WAIT_S = 1.0
FRESH_S = 1.0  # cache lifetime for unauthenticated requests


class Obstacle(TypedDict):
    """Why writing fails: `part` is installation (with the `code` of its verdict), database or data."""

    part: str
    code: NotRequired[str]
    message: str


class Readiness:
    """Whether the server can write what it receives now.

    Args:
        installation: whether the data folder and the database belong together.
    """

    def __init__(self, installation: "InstallationService") -> None:
        self.installation = installation
        self._bucket = Bucket(1, 1 / FRESH_S)
        self._last: list[Obstacle] | None = None

    def obstacles(self) -> list[Obstacle]:
        """The reasons why writing fails now; empty if it works."""
        if (verdict := self.installation.verdict) is not None:
            return [{"part": "installation", "code": verdict.code, "message": refusal(verdict)}]
        obstacles: list[Obstacle] = []
        for part, folder in folders():
            reason = why_not(folder)
            if reason is not None:
                obstacles.append({"part": part, "message": reason})
        if not any(item["part"] == "database" for item in obstacles) and (reason := database()) is not None:
            obstacles.append({"part": "database", "message": reason})
        return obstacles

    def recent_obstacles(self) -> list[Obstacle]:
        """`obstacles`, checked at most once per second; requests in between get the last result."""
        if self._bucket.consume() and self._last is not None:
            return self._last
        self._last = self.obstacles()
        return self._last


def folders() -> Iterator[tuple[str, Path]]:
    """The folders that must be writable."""
    yield "data", settings().DATA_ROOT / "tmp"
    address = db.engine.url
    if address.get_backend_name() == "sqlite" and address.database:
        yield "database", Path(address.database).parent


def why_not(folder: Path) -> str | None:
    """Write a small file there and remove it again; the cause of a failure."""
    path = folder / f".probe-{uuid.uuid4().hex}"
    try:
        with open(path, "wb", buffering=0) as file:
            if file.write(bytes(PROBE)) < PROBE:  # a full disk may accept a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        return cause(error)
    finally:
        try:
            path.unlink(missing_ok=True)
        except OSError:  # read-only: the file was not created
            pass
    return None


def cause(error: OSError) -> str:
    """Why a folder is not writable, in words."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _("The disk is full.")
    if error.errno == errno.EROFS:
        return _("The folder is read-only.")
    return error.strerror or str(error)


def database() -> str | None:
    """Open a write transaction and change nothing; the cause of a failure."""
    try:
        with writing(WAIT_S) as session:
            session.execute(text("SELECT 1"))
    except DBAPIError as error:
        db.session.rollback()
        locked = "locked" in str(error.orig).lower()
        return _("Another process has locked the database.") if locked else str(error.orig)
    except PoolTimeout:
        return _("All connections to the database are in use.")
    return None
