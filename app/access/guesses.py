"""Wrong passwords of one account, counted together from wherever they come: many addresses guess no faster than one.

Whoever guesses slows an account down and locks nobody out: a browser that the account was logged in from is counted by
itself, by a cookie of its own, and tokens and links are not counted here.
"""

from dataclasses import dataclass
from datetime import timedelta

from flask import Request, Response, current_app
from itsdangerous import BadData, URLSafeSerializer

from app.access import secrets
from app.access.identify import access_of
from app.config import settings
from app.rates import RateLimited

GROUP = "PASSWORDS"  # RATELIMIT_PASSWORDS
LASTS = timedelta(days=365)


@dataclass(frozen=True)
class Guesses:
    """The wrong passwords of one account: those of one known browser, or of everybody else.

    Args:
        who: whose they are, in the counter.
        trusted: they are of a known browser.
    """

    who: str
    trusted: bool

    def expect_few(self) -> None:
        """Check that there were not too many wrong ones.

        Raises:
            RateLimited: there were too many; the next one has to wait.
        """
        if seconds := self._seconds(count=False):
            raise RateLimited(GROUP, seconds)

    def add(self) -> None:
        """One more."""
        self._seconds(count=True)

    def _seconds(self, count: bool) -> int:
        limit = settings().RATELIMIT_PASSWORDS
        if not limit:
            return 0
        seconds: int = current_app.extensions["rates"].seconds_to_wait(limit, GROUP, self.who, count)
        return seconds


def guesses_of(key: str, request: Request) -> Guesses:
    """The wrong passwords of this browser, where it is known, else of this name.

    Args:
        key: of the account's name; there need be none of it.
    """
    browser = trusted_browser(key, request)
    return Guesses(browser or f"account:{secrets.digest(key)}", trusted=browser is not None)


def account_guesses(account_id: int | None) -> Guesses:
    """Of whoever is logged in, at their present password: a session that was left open gives no way to it."""
    return Guesses(f"own:{account_id}", trusted=True)


def trusted_browser(key: str, request: Request) -> str | None:
    """What a browser is counted by in which this account was logged in before."""
    try:
        account, browser = serializer().loads(request.cookies.get(cookie_name(), ""))
    except (BadData, TypeError, ValueError):
        return None
    return f"browser:{browser}" if account == secrets.digest(key) else None


def remember_browser(response: Response, key: str, secure: bool) -> None:
    """Its next guesses are counted apart from those of strangers."""
    value = serializer().dumps([secrets.digest(key), secrets.new_secret()])
    response.set_cookie(
        cookie_name(), str(value), int(LASTS.total_seconds()), secure=secure, httponly=True, samesite="Lax"
    )


def serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="browser-known-to-an-account")


def cookie_name() -> str:
    return f"{access_of().cookie}_known"
