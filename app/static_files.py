"""Serves static files, compressed and under an address with a hash of all of them, so that they are cached
permanently.
"""

import gzip
import hashlib
import mimetypes
import posixpath
import re
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, send_from_directory
from werkzeug.utils import safe_join

STATIC = Path(__file__).parent / "static"
COMPRESSED = {".js", ".css", ".svg", ".json"}  # fonts and images are already compressed
IMPORTS = re.compile(r'^(?:import|export)\b[^"]*"(\.{1,2}/[^"]+\.js)"', re.MULTILINE)
SMALL = 512  # bytes below which compressing gains nothing
# A comment on its own lines, as the formatter writes it. Tempered: `/** type */ code` does not match.
COMMENT = re.compile(rb"^[ \t]*(?:/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*)[ \t]*$", re.MULTILINE)


def init_app(app: Flask) -> None:
    """Serve them, and give the templates their addresses."""
    app.add_url_rule("/static/<version>/<path:filename>", "static", serve_static)
    app.jinja_env.globals.update(static_url=static_url, imported=lambda name: imported(name, static_version()))


@lru_cache
def static_version() -> str:
    """A hash of all static files: a common prefix, so that modules which import each other stay consistent."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            stat = path.stat()
            digest.update(f"{path.relative_to(STATIC)}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def static_url(filename: str) -> str:
    """The address of a static file, with the version in it."""
    return f"/static/{static_version()}/{filename}"


@lru_cache
def imported(filename: str, _version: str) -> tuple[str, ...]:
    """The modules that a script imports, recursively: pages name them, so that the browser requests them all at once
    and not level by level.
    """
    names: dict[str, None] = {}
    waiting = [filename]
    while waiting:
        module = waiting.pop(0)
        for target in IMPORTS.findall((STATIC / module).read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(module), target))
            if path not in names:
                names[path] = None
                waiting.append(path)
    return tuple(names)


def serve_static(version: str, filename: str) -> Response:
    """A static file; cached permanently if requested by the current version."""
    response = compressed(filename) or send_from_directory(STATIC, filename)
    if version == static_version():
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = 31_536_000
        response.cache_control.immutable = True
    return response


def compressed(filename: str) -> Response | None:
    """The file as gzip, if the client accepts it and requests the entire file; otherwise None."""
    if Path(filename).suffix not in COMPRESSED or "Range" in request.headers:
        return None
    if not request.accept_encodings["gzip"]:
        return None
    data = gzipped(filename, static_version())
    if data is None:
        return None
    kind = mimetypes.guess_type(filename)[0]
    response = Response(data, mimetype=kind)
    response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    return response


@lru_cache
def gzipped(filename: str, _version: str) -> bytes | None:
    """Compressed once per version (about 20 ms for the largest of a page); None if there is no such file."""
    path = safe_join(str(STATIC), filename)
    try:
        content = Path(path or "").read_bytes()
    except OSError:
        return None
    if filename.startswith("js/"):
        content = without_comments(content)
    return gzip.compress(content, 9, mtime=0) if len(content) >= SMALL else None


def without_comments(script: bytes) -> bytes:
    """A script of ours without comments, which are a sixth of it. Line numbers are preserved."""
    return COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), script)
