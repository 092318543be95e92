"""Refuses cross-site requests of a browser: other sites must not change anything here."""

from urllib.parse import urlsplit

from flask import Request
from flask_babel import gettext

from app.errors import ForeignOrigin

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
TRUSTED_SITES = {"same-origin", "none"}  # values of Sec-Fetch-Site for our own pages and the address bar


def refuse_foreign_origins(request: Request, allowed: str | list[str], by_browser: bool) -> None:
    """Refuse a request that a page of another origin caused.

    Args:
        allowed: origins that SOCKETIO_CORS_ALLOWED_ORIGINS allows besides our own, or "*".
        by_browser: whether the browser authenticates the request automatically, for any page.

    Raises:
        ForeignOrigin: it comes from a page of another origin.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    unsafe = request.method not in SAFE_METHODS
    if origin is not None and is_allowed(origin, request, allowed):
        return
    works = unsafe or request.path.startswith(("/api/", "/socket.io/"))
    if origin is not None and (unsafe or (works and by_browser)):
        refuse(origin)
    if works and site is not None and site not in TRUSTED_SITES and by_browser and allowed != "*":
        refuse(request.headers.get("Referer") or site)


def refuse_without_proof(request: Request) -> None:
    """Require proof of the origin for requests authenticated by a cookie. Scripts use a token instead.

    Raises:
        ForeignOrigin: there is no proof.
    """
    proven = "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") == "same-origin"
    if request.method not in SAFE_METHODS and not proven:
        raise ForeignOrigin(gettext("The request doesn't say which page made it. Scripts send a token instead."))


def is_allowed(origin: str, request: Request, allowed: str | list[str]) -> bool:
    return allowed == "*" or origin in allowed or urlsplit(origin).netloc == request.host


def refuse(origin: str) -> None:
    """Refuse a request of another origin.

    Raises:
        ForeignOrigin: always.
    """
    raise ForeignOrigin(
        gettext(
            "Pages from %(origin)s can't change anything on this server (SOCKETIO_CORS_ALLOWED_ORIGINS).",
            origin=origin,
        )
    )
