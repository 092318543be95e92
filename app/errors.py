"""The domain's exceptions, and the one place that turns any error into a response.

Every failed API request answers `application/problem+json` (RFC 9457): `type, title, status, detail` and
`errors`, a list of `{"field", "message"}`; a refused change of status also says the `current` one.
"""

import errno
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, jsonify, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

logger = logging.getLogger("yolo.errors")


class AppError(Exception):
    """A failure that the user can understand. Subclasses name it and set the status.

    Args:
        detail: what happened and what to do, translated.
        errors: the fields at fault, each with its message.
        members: what a program needs to go on, beside the members of every failure (RFC 9457, section 3.2).
    """

    status: int = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

    def __init__(
        self, detail: Any, errors: list[dict[str, Any]] | None = None, members: dict[str, Any] | None = None
    ) -> None:
        super().__init__(str(detail))
        self.detail = detail
        self.errors = errors or []
        self.members = members or {}


class BadUpload(AppError):
    """The body is not what it claims to be: no ZIP, empty, cut short."""


class NotFound(AppError):
    status = HTTPStatus.NOT_FOUND


class ForeignOrigin(AppError):
    status = HTTPStatus.FORBIDDEN


class Conflict(AppError):
    """The request does not fit the present state."""

    status = HTTPStatus.CONFLICT


class IllegalTransition(Conflict):
    """A status cannot change in this way.

    Args:
        advice: what can be done instead, translated.
    """

    def __init__(self, current: str, wanted: str, advice: str = "") -> None:
        if current == wanted:
            text = _l("This cannot be done now: the status is “%(current)s” already.", current=current)
        else:
            text = _l("This cannot be done now: the status is “%(current)s”, it cannot become “%(wanted)s”.",
                      current=current, wanted=wanted)  # fmt: skip
        super().__init__(f"{text} {advice}" if advice else text, members={"current": str(current)})
        self.current = current


class Gone(AppError):
    """It was here, and its time is over."""

    status = HTTPStatus.GONE


class PreconditionFailed(AppError):
    """The client speaks another version of a protocol."""

    status = HTTPStatus.PRECONDITION_FAILED


class WrongType(AppError):
    """The body's Content-Type is not the one that this address takes."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Locked(AppError):
    """Another request is doing the same now; trying again soon makes sense."""

    status = HTTPStatus.LOCKED
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class ChecksumMismatch(AppError):
    """What arrived is not what was sent; 460 is tus's own status."""

    status = 460


class TooLarge(AppError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(AppError):
    """Well-formed, but its content cannot be accepted."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(AppError):
    """A part of the server cannot answer now; trying again makes sense."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class TooManyRequests(AppError):
    """More than is worked on at a time; the client is to wait a moment."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class NoSpace(AppError):
    status = HTTPStatus.INSUFFICIENT_STORAGE


TITLES = {
    400: _l("Bad request"),
    401: _l("Login required"),
    403: _l("Forbidden"),
    404: _l("Not found"),
    405: _l("Method not allowed"),
    409: _l("Conflict"),
    410: _l("Gone"),
    412: _l("Unknown version"),
    413: _l("Too large"),
    415: _l("Unsupported content type"),
    422: _l("Invalid data"),
    423: _l("Locked"),
    429: _l("Too many requests"),
    460: _l("Checksum mismatch"),
    500: _l("Internal error"),
    503: _l("Temporarily unavailable"),
    507: _l("Disk full"),
}

DETAILS = {
    400: _l("The request could not be read."),
    404: _l("There is nothing at this address."),
    405: _l("This address does not accept this method."),
    413: _l("The request is larger than the server accepts (MAX_UPLOAD_SIZE)."),
    415: _l("Send the body as application/json, or a file as multipart/form-data."),
    500: _l("Something went wrong on the server. The details are in its log."),
}


def init_app(app: APIFlask) -> None:
    """Answer every error in the one shape."""
    app.error_processor(from_apiflask)
    app.register_error_handler(AppError, from_app_error)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_any)


def from_app_error(error: AppError) -> Response:
    return problem(error.status, error.detail, error.errors, error.headers, error.members)


def from_apiflask(error: HTTPError) -> Response:
    """Schema errors: 422 by field; 400 when the body as a whole is no JSON object."""
    fields = [
        {"field": field, "message": message}
        for place in (error.detail or {}).values()
        for field, message in flatten(place)
    ]
    if not fields:
        return problem(error.status_code, usual_detail(error.status_code, error.message))
    if any(field in {"_schema", ""} for (field,) in ((item["field"],) for item in fields)):
        return problem(400, gettext("The body must be a JSON object."), fields)
    return problem(422, gettext("Some fields are not valid. Correct them and send again."), fields)


def flatten(errors: Any, prefix: str = "") -> list[tuple[str, str]]:
    """marshmallow's nested messages as (dotted field, message) pairs."""
    if isinstance(errors, dict):
        return [
            pair for key, value in errors.items() for pair in flatten(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(errors, list):
        return [pair for value in errors for pair in flatten(value, prefix)]
    return [(prefix, str(errors))]


def from_http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:  # a redirect, or a response that was built on purpose
        return error.get_response()  # type: ignore[return-value]
    headers = {"Allow": ", ".join(error.valid_methods or ())} if status == 405 else {}  # type: ignore[attr-defined]
    return problem(status, usual_detail(status, error.description), headers=headers)


def usual_detail(status: int, otherwise: Any) -> Any:
    """What is wrong, from the status; a bad request with a JSON body is a body that cannot be parsed."""
    if status == 400 and request.is_json:
        return gettext("The body is no valid JSON.")
    return DETAILS.get(status, otherwise)


# By what SQLite and PostgreSQL call it.
FULL = ("disk is full", "disk i/o", "no space left")
READ_ONLY = ("readonly", "read-only")
AWAY = ("locked", "busy", "connection", "unable to open", "starting up", "shutting down", "terminat")


def of_database(error: DBAPIError) -> AppError | None:
    """A database that is full, write-protected or away for a while; None: a fault of ours."""
    text = str(error.orig).lower()
    if any(part in text for part in FULL):
        return no_space()
    if any(part in text for part in READ_ONLY):
        return Unavailable(gettext("The database is read-only. Nothing was changed."))
    if error.connection_invalidated or any(part in text for part in AWAY):
        return database_busy(error)
    return None


def database_busy(error: Exception) -> AppError:
    logger.warning("database unavailable: %s", getattr(error, "orig", error))
    return Unavailable(gettext("The database is busy. Try again in a few seconds."))


def of_os(error: OSError) -> AppError | None:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return no_space()
    if error.errno == errno.EROFS:
        return Unavailable(gettext("The data folder is read-only. Nothing was changed."))
    return None


def no_space() -> AppError:
    return NoSpace(gettext("The disk is full. Free some space and try again; nothing was changed."))


def understood(error: Exception) -> AppError | None:
    """The failure as the user can understand it; None: a fault of ours."""
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


def told(error: Exception) -> dict[str, Any]:
    """What a message, which has no response, says of a failure: status, title and error, in the present language."""
    known = understood(error)
    status, detail = (known.status, known.detail) if known else (500, DETAILS[500])
    return {"status": int(status), "title": str(title_of(status)), "error": str(detail)}


def from_any(error: Exception) -> Response:
    known = understood(error)
    return from_app_error(known) if known else from_unexpected(error)


def from_unexpected(error: Exception) -> Response:
    logger.error("%s %s", request.method, request.path, exc_info=error)
    return problem(500, DETAILS[500])


def title_of(status: int) -> Any:
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(
    status: int,
    detail: Any,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
) -> Response:
    """The error response: problem+json, or a page where a browser asked for one."""
    title = title_of(status)
    if wants_page():
        response = Response(
            render_template("error.html", status=int(status), title=title, detail=detail), mimetype="text/html"
        )
    else:
        response = jsonify(
            type="about:blank",
            title=str(title),
            status=int(status),
            detail=str(detail),
            errors=[{"field": item["field"], "message": str(item["message"])} for item in errors or []],
            **members or {},
        )
        response.mimetype = "application/problem+json"
    response.status = "460 Checksum Mismatch" if status == ChecksumMismatch.status else str(int(status))
    response.headers.extend(headers or {})
    return response


def wants_page() -> bool:
    """Whether a person in a browser navigated here, outside the API."""
    return not request.path.startswith("/api/") and request.accept_mimetypes.accept_html
