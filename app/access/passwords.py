"""Hashes passwords with Argon2id (RFC 9106). A check takes some 50 ms and 64 MB."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, ClassVar, TypeVar

from flask_babel import lazy_gettext as _l

from app.errors import Unavailable
from app.extensions import socketio
from app.limits import Slots
from app.threads import run_blocking

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

AT_ONCE = 2  # parallel hash computations: each needs 64 MB and a core
IN_LINE = 8  # waiting or running computations for unknown browsers
TRUSTED_IN_LINE = 8  # the same for known browsers and accounts, which have priority
WAIT_S, STEP_S = 5.0, 0.01

running, line, trusted_line = Slots(AT_ONCE), Slots(IN_LINE), Slots(TRUSTED_IN_LINE)


class PasswordsBusy(Unavailable):
    """Too many password checks are waiting, which would exhaust a small machine's memory."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__(_l("Too many passwords are being checked at this moment. Try again in a few seconds."))


@contextmanager
def turn(trusted: bool) -> Iterator[None]:
    """A slot for one hash computation.

    Args:
        trusted: for a known browser or account, which unknown ones cannot crowd out.

    Raises:
        PasswordsBusy: too many are waiting.
    """
    mine = trusted_line if trusted else line
    if not mine.acquire():
        raise PasswordsBusy
    try:
        until = time.monotonic() + WAIT_S
        while not ((trusted or trusted_line.is_free) and running.acquire()):
            if time.monotonic() > until:
                raise PasswordsBusy
            socketio.sleep(STEP_S)
        try:
            yield
        finally:
            running.release()
    finally:
        mine.release()


def in_turn(trusted: bool, compute: Callable[..., T], *args: str | None) -> T:
    """Compute a hash in a thread, once a slot is free.

    Raises:
        PasswordsBusy
    """
    with turn(trusted):
        return run_blocking(compute, *args)


@cache
def hasher() -> "PasswordHasher":
    """Argon2 with the library's default parameters."""
    from argon2 import PasswordHasher  # imported at the first login by password

    return PasswordHasher()


@cache
def nobody() -> str:
    """A dummy hash, checked for unknown names so that the response time does not reveal them."""
    return hasher().hash("nobody")


def hashed(password: str) -> str:
    """The hash of a password, for a logged-in or invited person.

    Raises:
        PasswordsBusy
    """
    return in_turn(True, lambda: hasher().hash(password))


def fits(stored_hash: str | None, password: str, trusted: bool = False) -> bool:
    """Whether the password matches; False without a hash.

    Args:
        trusted: from a known browser.

    Raises:
        PasswordsBusy
    """
    return in_turn(trusted, check, stored_hash, password) and stored_hash is not None


def check(stored_hash: str | None, password: str) -> bool:
    """Check a password against a hash; takes as long without a hash."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    dummy_hash = nobody()  # before the check, so that the first call takes equally long for any name
    try:
        return hasher().verify(stored_hash or dummy_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
