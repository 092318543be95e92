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

AT_ONCE = 2  # hashes that are computed: each has 64 MB and a core
IN_LINE = 8  # of strangers, that wait for it, or are computed
TRUSTED_IN_LINE = 8  # of people and browsers that were in before; they come first
WAIT_S, STEP_S = 5.0, 0.01

running, line, trusted_line = Slots(AT_ONCE), Slots(IN_LINE), Slots(TRUSTED_IN_LINE)


class PasswordsBusy(Unavailable):
    """More passwords are to be checked than is good for the memory of a small machine."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__(_l("Too many passwords are being checked at this moment. Try again in a few seconds."))


@contextmanager
def turn(trusted: bool) -> Iterator[None]:
    """A turn at computing a hash.

    Args:
        trusted: it is for somebody who was in before: however many strangers come, they keep nobody of those out.

    Raises:
        PasswordsBusy: too many wait for one already.
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
    """Compute a hash when it is its turn, in a thread of its own.

    Raises:
        PasswordsBusy
    """
    with turn(trusted):
        return run_blocking(compute, *args)


@cache
def hasher() -> "PasswordHasher":
    """Argon2 with the library's own parameters."""
    from argon2 import PasswordHasher  # not at the start: for who logs in by name

    return PasswordHasher()


@cache
def nobody() -> str:
    """The hash that is checked for an unknown name: an answer takes as long as for an existing one."""
    return hasher().hash("nobody")


def hashed(password: str) -> str:
    """The hash of a password, for somebody who is logged in or was invited.

    Raises:
        PasswordsBusy
    """
    return in_turn(True, lambda: hasher().hash(password))


def fits(stored_hash: str | None, password: str, trusted: bool = False) -> bool:
    """Whether the password matches; False where there is no hash.

    Args:
        trusted: a browser asks that was in before.

    Raises:
        PasswordsBusy
    """
    return in_turn(trusted, check, stored_hash, password) and stored_hash is not None


def check(stored_hash: str | None, password: str) -> bool:
    """Whether a password is the one of this hash; takes as long where there is no hash."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    dummy_hash = nobody()  # the first time it takes as long again, whether or not there is the name
    try:
        return hasher().verify(stored_hash or dummy_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
