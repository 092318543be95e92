"""Who may enter. For now: no other site may make a browser change anything here."""

from urllib.parse import urlsplit

from flask import Flask, request
from flask_babel import gettext

from app.config import cors_origins
from app.errors import ForeignOrigin

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def init_app(app: Flask) -> None:
    """Check the origin of each request that changes something."""
    allowed = cors_origins(app.config["SOCKETIO_CORS_ALLOWED_ORIGINS"]) or []

    @app.before_request
    def refuse_foreign_origins() -> None:
        origin = request.headers.get("Origin")
        if request.method in SAFE_METHODS or origin is None:  # scripts send none
            return
        if allowed == "*" or origin in allowed or urlsplit(origin).netloc == request.host:
            return
        raise ForeignOrigin(
            gettext(
                "Pages from %(origin)s can't change anything on this server (SOCKETIO_CORS_ALLOWED_ORIGINS).",
                origin=origin,
            )
        )
