"""The login page, and the cookie of a new session."""

from datetime import timedelta
from typing import Any

from flask import Response, render_template, request

from app.access.identify import access_of
from app.access.provider_client import provider_name
from app.config import settings
from app.routes.ui import local_address


def login_page(next: str, failure: Any = None) -> str:
    """
    Args:
        next: the requested page; a path of this server, or else the dashboard.
        failure: why a login has just failed.
    """
    name = provider_name() if settings().OIDC_ISSUER else None
    return render_template("login.html", next=local_address(next), provider=name, failure=failure)


def set_session_cookie(response: Response, secret: str, lasts: timedelta) -> None:
    """Set the session cookie. `lasts`: its lifetime."""
    response.set_cookie(
        access_of().cookie,
        secret,
        max_age=int(lasts.total_seconds()),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
