"""HTTP conventions: ids in addresses, JSON, uploads that yield, safe headers."""

import re
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask
from flask import Response, current_app, render_template, request
from flask.json.provider import DefaultJSONProvider
from flask_babel import gettext
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter, Rule

from app import inputs, static_files
from app.bodies import Body, BodyDeadline, UploadRequest
from app.config import settings
from app.errors import NotFound

CHUNK_TYPE = "application/offset+octet-stream"  # of tus, at /api/uploads only
FORM_TYPE = "multipart/form-data"
IMAGE_ENDPOINTS = {"predictions.predict"}  # endpoints
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
# Styles set through an element's style object are not inline styles. Swagger UI writes style attributes. The tests page
# plays videos from the reader's disk and the camera.
PAGE_POLICIES = {"docs": "; style-src 'self' 'unsafe-inline'", "ui.tests": "; media-src 'self' blob:"}
HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)


class IdConverter(BaseConverter):
    """A row's id: 1 to 2^63 - 1, the database's integers; anything else is 404."""

    regex = r"[1-9]\d{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


class LazyRule(Rule):
    """A route whose address is compiled when `url_for` first builds it.

    werkzeug compiles two functions for each route at the start, by way of syntax trees: 0.2 ms of the CPU, and most
    addresses of the API are built by no page.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        """A method that builds the address; what werkzeug makes of the route is made at its first call."""
        compiled = cache(super()._compile_builder)
        return lambda rule, /, **values: compiled(append_unknown)(rule, **values)


class JSONProvider(DefaultJSONProvider):
    """JSON without escaped non-ASCII letters."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return inputs.loads(s, **kwargs)

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Lone surrogates, which file names may have, are written as JSON escapes."""
        text = super().dumps(obj, **kwargs)
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def init_app(app: APIFlask) -> None:
    """Set up routing, JSON, uploads, static files, OpenAPI and headers."""
    app.url_rule_class = LazyRule
    app.url_map.converters["id"] = IdConverter
    app.json = JSONProvider(app)
    staging = settings(app).DATA_ROOT / "tmp"
    staging.mkdir(parents=True, exist_ok=True)
    app.request_class = type("UploadRequest", (UploadRequest,), {"upload_folder": str(staging)})
    inner = app.wsgi_app

    def with_body(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not length and "HTTP_TRANSFER_ENCODING" not in environ:
            return inner(environ, start_response)
        body = Body(environ["wsgi.input"], length or None, BodyDeadline(environ.get("gunicorn.socket")))
        try:
            return inner(environ | {"wsgi.input": body}, start_response)
        finally:
            body.close()

    app.wsgi_app = with_body  # type: ignore[method-assign]
    app.before_request(check_path)
    app.before_request(check_body)
    static_files.init_app(app)
    app.after_request(add_headers)
    set_up_openapi(app)


def set_up_openapi(app: APIFlask) -> None:
    """OpenAPI 3.1, with its page from our own files."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        LICENSE={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        VALIDATION_ERROR_STATUS_CODE=422,
    )
    app.spec_processor(describe_errors)
    # A schema that is both a response and part of a list's response is the same schema; apispec warns in each
    # description.
    warnings.filterwarnings("ignore", message=".*has already been added to the spec")
    app.add_url_rule("/api/docs", "docs", app.doc(hide=True)(lambda: render_template("docs.html")))


def check_path() -> None:
    """Refuse NUL in an address: it cannot be in the name of any file or row.

    Raises:
        NotFound: there is one.
    """
    if "\0" in request.path:
        raise NotFound(gettext("This address doesn't exist."))


def check_body() -> None:
    """Refuse bodies that no endpoint reads or that cannot be stored, and read a JSON body completely.

    The parser behind the schemas would treat unusual ones as empty, or fail.

    Raises:
        UnsupportedMediaType: not of the type that the endpoint accepts: JSON, a form, an image or a chunk.
        BadRequest: not JSON.
        RequestEntityTooLarge: too much JSON.
        Unprocessable: with values that cannot be stored.
        CutShort: it ended early.
    """
    sent = request.content_length or "Transfer-Encoding" in request.headers
    if not request.path.startswith("/api/") or not (sent or request.is_json):
        return
    if request.is_json:
        request.max_content_length = min(MAX_JSON_BYTES, request.max_content_length or MAX_JSON_BYTES)
        if request.get_data():
            inputs.check(request.get_json())
    elif not (is_chunk() or is_image() or (request.mimetype == FORM_TYPE and accepts_form())):
        raise UnsupportedMediaType


def is_chunk() -> bool:
    """Whether this is a chunk of a resumable upload; its length is checked where it is written."""
    chunks = request.method in {"POST", "PATCH"} and (request.path + "/").startswith("/api/uploads/")
    return chunks and request.mimetype == CHUNK_TYPE


def is_image() -> bool:
    """Whether this is an image for an operation that accepts one as its body."""
    return request.endpoint in IMAGE_ENDPOINTS and request.mimetype.startswith("image/")


def accepts_form() -> bool:
    """Whether this operation reads a form; another one would leave the body unread. None: no such operation."""
    if request.endpoint is None:
        return True  # the response is 404 or 405
    view = current_app.view_functions[request.endpoint]
    return FORM_TYPE in str(getattr(view, "_spec", {}).get("content_type", ""))


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
    """Document the common error format for each operation, instead of APIFlask's."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    names = current_app.extensions["architecture_names"]()
    schemas["TrainingIn"]["properties"]["architecture"]["enum"] = names
    spec["paths"]["/api/uploads/{upload_id}"]["patch"]["requestBody"] = {
        "required": True,
        "content": {CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
    content = spec["paths"]["/api/models/{training_id}/predict"]["post"]["requestBody"]["content"]
    content["image/*"] = {"schema": {"type": "string", "format": "binary"}}
    for name, schema in schemas.items():
        if name.endswith(("In", "Form", "Patch")):
            for field in schema.get("properties", {}).values():
                refuse_nul(field)
    spec["tags"] = list({tag["name"]: tag for tag in spec.get("tags", [])}.values())  # one tag for several blueprints
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in spec["paths"].values():
        for operation in operations.values():
            if "responses" not in operation:
                continue
            require_parameters(operation, schemas)
            responses = operation["responses"]
            for code in [code for code in responses if str(code) >= "400"]:
                responses[code] = {"description": responses[code]["description"], "content": content}
            responses["default"] = {"description": "Any other failure", "content": content}
    return spec


# checked by the protocol's rules, not by a schema
REQUIRED_HEADERS = {"Tus-Resumable", "Upload-Length", "Upload-Offset"}


def require_parameters(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Document ids as positive numbers, and mark required headers of uploads and bodies with required fields."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if schema.pop("nullable", False) and "default" in schema:
            del schema["default"]  # null stands for a parameter that is not sent
        if parameter["in"] == "path" and parameter["name"] in id_names():
            schema.update(type="integer", minimum=1)
        if parameter["in"] == "query":
            refuse_nul(schema)
        parameter["required"] = parameter.get("required", False) or parameter["name"] in REQUIRED_HEADERS
    body = operation.get("requestBody")
    for content in body["content"].values() if body else ():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if schemas.get(name, content["schema"]).get("required"):
            operation["requestBody"]["required"] = True


def refuse_nul(schema: dict[str, Any]) -> None:
    """Document that strings of a request may not contain NUL, see inputs.py."""
    if schema.get("type") == "string" and not {"pattern", "enum", "format"} & set(schema):
        schema["pattern"] = "^[^\\u0000]*$"


def id_names() -> set[str]:
    """The parameter names of ids in addresses."""
    converters = [pair for rule in current_app.url_map.iter_rules() for pair in rule._converters.items()]
    return {name for name, converter in converters if isinstance(converter, IdConverter)}


def policy() -> str:
    """The Content-Security-Policy of a page. Browsers before 2022 do not include our websocket in 'self'."""
    host = request.host if HOST.fullmatch(request.host) else ""
    sockets = f" ws://{host} wss://{host}" if host else ""
    return CONTENT_SECURITY_POLICY.format(sockets=sockets) + PAGE_POLICIES.get(request.endpoint or "", "")


def add_headers(response: Response) -> Response:
    """Add headers that restrict a page to our own files and a file to its own type."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", policy())
        response.headers.setdefault("Vary", "Accept-Language, Cookie")
        response.headers.setdefault("Cache-Control", "no-cache")
    return response
