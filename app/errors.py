"""The exceptions of the application, and the conversion of database and system errors. Responses: problems.py."""

import errno
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, TypedDict

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.texts import STATES

logger = logging.getLogger("yolo.errors")


class FieldError(TypedDict):
    """An error in a field of a request. `message`: a text, which may be lazy."""

    field: str
    message: object


class AppError(Exception):
    """An error for the user. Subclasses name it and set the status.

    Args:
        detail: what happened and what to do, translated.
        errors: the fields at fault, each with its message.
        members: further data for programs, beside the standard members (RFC 9457, section 3.2).

    Attributes:
        reason: a code for the audit log, if the status is not specific.
    """

    reason: str | None = None
    status: int = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

    def __init__(
        self, detail: Any, errors: Sequence[FieldError] = (), members: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(str(detail))
        self.detail = detail
        self.errors = errors
        self.members = members or {}


class BadUpload(AppError):
    """The body is not what it should be: no ZIP, empty, truncated."""


class CutShort(BadUpload):
    """The body ended before its announced length, or its chunks are damaged."""

    def __init__(self) -> None:
        super().__init__(_l("The body ended early or arrived damaged. Nothing was changed. Send the request again."))


class BadEvent(AppError):
    """A socket message that no client of ours sends."""


class TooSlow(AppError):
    """The body arrived too slowly."""

    status = HTTPStatus.REQUEST_TIMEOUT
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}

    def __init__(self) -> None:
        super().__init__(_l("The body arrived too slowly. Nothing was changed. Send the request again."))


class NotFound(AppError):
    status = HTTPStatus.NOT_FOUND


class ForeignOrigin(AppError):
    status = HTTPStatus.FORBIDDEN


class LoginRequired(AppError):
    """The request is not authenticated."""

    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="YOLO Training Platform"'}


class NotAllowed(AppError):
    """The principal is not authorized for the request."""

    status = HTTPStatus.FORBIDDEN


class WrongHost(AppError):
    """The request's Host is not a name of this server."""

    status = HTTPStatus.MISDIRECTED_REQUEST


class Conflict(AppError):
    """The request does not fit the present state."""

    status = HTTPStatus.CONFLICT


class IllegalTransition(Conflict):
    """A status cannot change in this way.

    Args:
        advice: what can be done instead, translated.
    """

    def __init__(self, current: str, requested: str, advice: str = "") -> None:
        if current == requested:
            text = _l(
                "The status is already “%(current)s”, so nothing was changed.", current=STATES.get(current, current)
            )
        else:
            text = _l(
                "The status is “%(current)s” and can't change to “%(wanted)s”.",
                current=STATES.get(current, current),
                wanted=STATES.get(requested, requested),
            )
        super().__init__(f"{text} {advice}" if advice else text, members={"current": str(current)})
        self.current = current


class Gone(AppError):
    """The object existed, but has expired."""

    status = HTTPStatus.GONE


class PreconditionFailed(AppError):
    """The client uses another version of a protocol."""

    status = HTTPStatus.PRECONDITION_FAILED


class WrongType(AppError):
    """The Content-Type is not accepted at this address."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Locked(AppError):
    """Another request is doing the same; the client may retry soon."""

    status = HTTPStatus.LOCKED
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class ChecksumMismatch(AppError):
    """The received bytes do not match their checksum; 460 is tus's own status."""

    status = 460


class TooLarge(AppError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(AppError):
    """Well-formed, but its content cannot be accepted."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(AppError):
    """A part of the server is unavailable; the client may retry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class TooManyRequests(AppError):
    """Too many concurrent requests; the client should wait a moment."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class DecodersBusy(TooManyRequests):
    """Slow images occupy the slow lane; a turn lasts up to a minute."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}


class NoSpace(AppError):
    status = HTTPStatus.INSUFFICIENT_STORAGE


class WritesRefused(OperationalError):
    """Writing is refused because the database does not belong to the data folder.

    An OperationalError, so that background tasks retry as they do with a lock.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__("", {}, Exception(reason))
        self.reason, self.refusal_code = reason, code


def flatten(errors: Any, prefix: str = "") -> list[tuple[str, str]]:
    """marshmallow's nested messages as (dotted field, message) pairs."""
    if isinstance(errors, dict):
        return [
            pair for key, value in errors.items() for pair in flatten(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(errors, list):
        return [pair for value in errors for pair in flatten(value, prefix)]
    return [(prefix, str(errors))]


def field_errors(errors: Any) -> list[FieldError]:
    """marshmallow's nested messages by field."""
    return [{"field": field, "message": message} for field, message in flatten(errors)]


# Messages of SQLite and PostgreSQL.
FULL = ("disk is full", "disk i/o", "no space left")
READ_ONLY = ("readonly", "read-only")
BUSY = ("locked", "busy", "connection", "unable to open", "starting up", "shutting down", "terminat")


def of_database(error: DBAPIError) -> AppError | None:
    """The error for a database that is full, read-only or unavailable; None: an internal error."""
    if isinstance(error, WritesRefused):
        return Unavailable(error.reason, members={"code": error.refusal_code})
    text = str(error.orig).lower()
    if any(part in text for part in FULL):
        return no_space()
    if any(part in text for part in READ_ONLY):
        return Unavailable(gettext("The database is read-only. Nothing was changed."))
    if error.connection_invalidated or any(part in text for part in BUSY):
        return database_busy(error)
    return None


def database_busy(error: Exception) -> AppError:
    logger.warning("database unavailable: %s", getattr(error, "orig", error))
    return Unavailable(gettext("The database is busy. Try again in a few seconds."))


def of_os(error: OSError) -> AppError | None:
    """The error for a full or read-only disk; None: another one."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return no_space()
    if error.errno == errno.EROFS:
        return Unavailable(gettext("The data folder is read-only. Nothing was changed."))
    return None


def no_space() -> AppError:
    return NoSpace(gettext("The disk is full. Nothing was changed. Free some space and try again."))


def understood(error: Exception) -> AppError | None:
    """The exception as an error for the user; None: an internal error."""
    match error:
        case AppError():
            return error
        case DBAPIError():
            return of_database(error)
        case PoolTimeout():
            return database_busy(error)
        case OSError():
            return of_os(error)
    return None
