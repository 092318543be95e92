"""How HTTP is spoken: ids in addresses, JSON, uploads that yield, safe headers."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, render_template, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter

from app import static_files
from app.bodies import Body, UploadRequest

LARGE = 1024 * 1024  # bytes of a body that others must not wait for
CHUNK_TYPE = "application/offset+octet-stream"  # of tus, at /api/uploads alone
MAX_JSON_BYTES = 1024 * 1024  # a training with all its parameters has a few KB

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'{sockets}",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# Styles that a script sets through an element's style object are no inline styles. Swagger UI writes style attributes.
# The page of tests plays videos from the reader's disk, and the camera.
PAGE_POLICIES = {"docs": "; style-src 'self' 'unsafe-inline'", "ui.tests": "; media-src 'self' blob:"}
HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)


class IdConverter(BaseConverter):
    """A row's id: 1 to 2^63 - 1, the database's integers; anything else is 404."""

    regex = r"[1-9]\d{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


class JSONProvider(DefaultJSONProvider):
    """JSON that keeps letters as they are, and refuses a body nested too deeply to parse."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return json.loads(s, **kwargs)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def init_app(app: APIFlask) -> None:
    """Set up routing, JSON, uploads, static files, OpenAPI and headers."""
    app.url_map.converters["id"] = IdConverter
    app.json = JSONProvider(app)
    staging = Path(app.config["DATA_ROOT"]) / "tmp"
    staging.mkdir(parents=True, exist_ok=True)
    app.request_class = type("UploadRequest", (UploadRequest,), {"upload_folder": str(staging)})
    inner = app.wsgi_app

    def yielding(environ: dict[str, Any], start_response: Any) -> Any:
        if int(environ.get("CONTENT_LENGTH") or 0) > LARGE or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = Body(environ["wsgi.input"])
        return inner(environ, start_response)

    app.wsgi_app = yielding  # type: ignore[method-assign]
    app.before_request(check_body)
    static_files.init_app(app)
    app.after_request(add_headers)
    set_up_openapi(app)


class SocketErrors:
    """The server's error stream without eventlet's line, which never ends, for each websocket whose client is gone."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if "socket shutdown error" not in text:
            self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def quiet_closed_sockets(app: APIFlask) -> None:
    """A browser that leaves a page is no error."""
    inner = app.wsgi_app

    def quiet(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO", "").startswith("/socket.io/"):
            environ["wsgi.errors"] = SocketErrors(environ["wsgi.errors"])
        return inner(environ, start_response)

    app.wsgi_app = quiet  # type: ignore[method-assign]


def refuse_large_polls(app: APIFlask, most: int) -> None:
    """400 for a Socket.IO payload over `most` bytes, at once: engineio answers only after its ping timeout (40 s)."""
    inner = app.wsgi_app

    def checked(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length <= most or not environ.get("PATH_INFO", "").startswith("/socket.io/"):
            return inner(environ, start_response)
        body = Body(environ["wsgi.input"])
        while length > 0 and (block := body.read(min(length, 65536))):  # or the client sees a reset, not the answer
            length -= len(block)
        return Response("Too large.", 400)(environ, start_response)

    app.wsgi_app = checked  # type: ignore[method-assign]


def set_up_openapi(app: APIFlask) -> None:
    """OpenAPI 3.1, with its page from our own files."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        LICENSE={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        VALIDATION_ERROR_STATUS_CODE=422,
    )
    app.spec_processor(describe_errors)
    # A schema that is an answer and also part of a list's answer is the same schema; apispec warns at each description.
    warnings.filterwarnings("ignore", message=".*has already been added to the spec")
    app.add_url_rule("/api/docs", "docs", app.doc(hide=True)(lambda: render_template("docs.html")))


def check_body() -> None:
    """Refuse bodies that no endpoint reads. The parser behind the schemas takes them for empty, or fails on them.

    Raises:
        UnsupportedMediaType: neither JSON nor a form, nor a chunk where chunks belong.
        BadRequest: not JSON. RequestEntityTooLarge: much of it.
    """
    if not request.path.startswith("/api/") or not (request.content_length or request.is_json):
        return
    if request.is_json:
        request.max_content_length = min(MAX_JSON_BYTES, request.max_content_length or MAX_JSON_BYTES)
        if request.get_data():
            request.get_json()
    elif request.mimetype == CHUNK_TYPE and (request.path + "/").startswith("/api/uploads/"):
        return
    elif request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType


PROBLEM = {
    "type": "object",
    "description": "Every failure (RFC 9457).",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do."},
        "current": {"type": "string", "description": "With 409: the status that does not allow it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def describe_errors(spec: Any) -> Any:
    """Give each operation the one error shape, in place of APIFlask's own."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    spec["tags"] = list({tag["name"]: tag for tag in spec.get("tags", [])}.values())  # one for several blueprints
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in spec["paths"].values():
        for operation in operations.values():
            if "responses" not in operation:
                continue
            responses = operation["responses"]
            for code in [code for code in responses if str(code) >= "400"]:
                responses[code] = {"description": responses[code]["description"], "content": content}
            responses["default"] = {"description": "Any other failure", "content": content}
    return spec


def policy() -> str:
    """The Content-Security-Policy of a page. Browsers before 2022 do not count a websocket to us as 'self'."""
    host = request.host if HOST.fullmatch(request.host) else ""
    sockets = f" ws://{host} wss://{host}" if host else ""
    return CONTENT_SECURITY_POLICY.format(sockets=sockets) + PAGE_POLICIES.get(request.endpoint or "", "")


def add_headers(response: Response) -> Response:
    """Headers that keep a page to its own files and a file to its own type."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", policy())
        response.headers.setdefault("Vary", "Accept-Language, Cookie")
        response.headers.setdefault("Cache-Control", "no-cache")
    return response
