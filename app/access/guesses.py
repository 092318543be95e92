"""Wrong passwords of one account, counted across all addresses: many addresses guess no faster than one.

An attacker slows an account down, but cannot lock its owner out: browsers that the account has logged in from are
counted separately, by a cookie, and tokens and links are not counted here.
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
    """Wrong passwords for one account: those of one known browser, or of all others.

    Args:
        who: the counter's key.
        trusted: from a known browser.
    """

    who: str
    trusted: bool

    def expect_few(self) -> None:
        """Check that the limit is not reached.

        Raises:
            RateLimited: it is; the next attempt has to wait.
        """
        if seconds := self._seconds(count=False):
            raise RateLimited(GROUP, seconds)

    def add(self) -> None:
        """Count a wrong password."""
        self._seconds(count=True)

    def _seconds(self, count: bool) -> int:
        limit = settings().RATELIMIT_PASSWORDS
        if not limit:
            return 0
        seconds: int = current_app.extensions["rates"].seconds_to_wait(limit, GROUP, self.who, count)
        return seconds


def guesses_of(key: str, request: Request) -> Guesses:
    """The counter for this browser if it is known, otherwise for the account's name.

    Args:
        key: of the account's name, which need not exist.
    """
    browser = trusted_browser(key, request)
    return Guesses(browser or f"account:{secrets.digest(key)}", trusted=browser is not None)


def account_guesses(account_id: int | None) -> Guesses:
    """The counter for password changes of the current account: an unattended session must not allow guessing either."""
    return Guesses(f"own:{account_id}", trusted=True)


def trusted_browser(key: str, request: Request) -> str | None:
    """The counter of a browser that this account has logged in from; None: unknown browser."""
    try:
        account, browser = serializer().loads(request.cookies.get(cookie_name(), ""))
    except (BadData, TypeError, ValueError):
        return None
    return f"browser:{browser}" if account == secrets.digest(key) else None


def remember_browser(response: Response, key: str, secure: bool) -> None:
    """Set the cookie by which this browser's attempts are counted separately."""
    value = serializer().dumps([secrets.digest(key), secrets.new_secret()])
    response.set_cookie(
        cookie_name(), str(value), int(LASTS.total_seconds()), secure=secure, httponly=True, samesite="Lax"
    )


def serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="browser-known-to-an-account")


def cookie_name() -> str:
    return f"{access_of().cookie}_known"
