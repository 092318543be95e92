"""Converts any error to a response (application/problem+json).

Every failed API request is answered with `application/problem+json` (RFC 9457): `type, title, status, detail` and
`errors`, a list of `{"field", "message"}`; a refused change of status also has `current`.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, jsonify, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException

from app.errors import AppError, ChecksumMismatch, FieldError, field_errors, understood

logger = logging.getLogger("yolo.errors")

TITLES = {
    400: _l("Bad request"),
    401: _l("Login required"),
    403: _l("Forbidden"),
    404: _l("Not found"),
    405: _l("Method not allowed"),
    408: _l("Too slow"),
    409: _l("Conflict"),
    410: _l("No longer available"),
    412: _l("Unknown version"),
    413: _l("Too large"),
    415: _l("Unsupported content type"),
    421: _l("Wrong host"),
    422: _l("Invalid data"),
    423: _l("Locked"),
    429: _l("Too many requests"),
    460: _l("Checksum mismatch"),
    500: _l("Internal error"),
    503: _l("Temporarily unavailable"),
    507: _l("Disk full"),
}

DETAILS = {
    400: _l("The request couldn't be read."),
    404: _l("This address doesn't exist."),
    405: _l("This address doesn't accept this method."),
    413: _l("The request is larger than the server limit (MAX_UPLOAD_SIZE)."),
    415: _l("Send the body as application/json, or a file as multipart/form-data."),
    500: _l("An internal error occurred. See the server log for details."),
}


class ProblemSummary(TypedDict):
    """An error in a socket message."""

    status: int
    title: str
    error: str


def init_app(app: APIFlask) -> None:
    """Answer every error in this format."""
    app.error_processor(from_apiflask)
    app.register_error_handler(AppError, from_app_error)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_any)


def from_app_error(error: AppError) -> Response:
    return problem(error.status, error.detail, error.errors, error.headers, error.members)


def from_apiflask(error: HTTPError) -> Response:
    """Schema errors: 422 by field; 400 if the entire body is not a JSON object."""
    fields = [item for location in (error.detail or {}).values() for item in field_errors(location)]
    if not fields:
        return problem(error.status_code, usual_detail(error.status_code, error.message))
    if any(item["field"] in {"_schema", ""} for item in fields):
        return problem(400, gettext("The body must be a JSON object."), fields)
    return problem(422, gettext("Some fields are not valid. Correct them and send the request again."), fields)


def from_http(error: HTTPException) -> Response:
    """The response to an error of Werkzeug: redirects unchanged, others as problem+json."""
    status = error.code or 500
    if error.response is not None or status < 400:  # a redirect, or a prepared response
        return error.get_response()  # type: ignore[return-value]
    headers = {"Allow": ", ".join(error.valid_methods or ())} if status == 405 else {}  # type: ignore[attr-defined]
    return problem(status, usual_detail(status, error.description), headers=headers)


def usual_detail(status: int, otherwise: Any) -> Any:
    """The detail for a status; a bad request with a JSON body means that the body cannot be parsed."""
    if status == 400 and request.is_json:
        return gettext("The body isn't valid JSON.")
    return DETAILS.get(status, otherwise)


def problem_summary(error: Exception) -> ProblemSummary:
    """An error for a message without a response: status, title and error, in the current language."""
    app_error = understood(error)
    status, detail = (app_error.status, app_error.detail) if app_error else (500, DETAILS[500])
    return {"status": int(status), "title": str(title_of(status)), "error": str(detail)}


def from_any(error: Exception) -> Response:
    """The response to any exception."""
    if isinstance(error, FileNotFoundError) and request.method in {"GET", "HEAD"}:
        logger.warning("%s: deleted while it was read: %s", request.path, error)
        return problem(404, gettext("The file no longer exists."))
    app_error = understood(error)
    return from_app_error(app_error) if app_error else from_unexpected(error)


def from_unexpected(error: Exception) -> Response:
    logger.error("%s %s", request.method, request.path, exc_info=error)
    return problem(500, DETAILS[500])


def title_of(status: int) -> Any:
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(
    status: int,
    detail: Any,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> Response:
    """The error response: problem+json, or a page if a browser requested one."""
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
            errors=[{"field": item["field"], "message": str(item["message"])} for item in errors],
            **members or {},
        )
        response.mimetype = "application/problem+json"
    response.status = "460 Checksum Mismatch" if status == ChecksumMismatch.status else str(int(status))
    response.headers.extend(headers or {})
    return response


def wants_page() -> bool:
    """Whether a browser navigated here, outside the API."""
    return not request.path.startswith("/api/") and request.accept_mimetypes.accept_html
