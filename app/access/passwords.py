"""Passwords, as Argon2id keeps them (RFC 9106). A check takes some 50 ms and 64 MB."""

from functools import cache
from typing import TYPE_CHECKING

from app.threads import off_loop

if TYPE_CHECKING:
    from argon2 import PasswordHasher


@cache
def hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # not at the start: for who logs in by name

    return PasswordHasher()


@cache
def nobody() -> str:
    """What is checked for a name that there is none of: an answer takes as long as for one that there is."""
    return hasher().hash("nobody")


def hashed(password: str) -> str:
    return off_loop(lambda: hasher().hash(password))


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password; False where there is none."""
    return off_loop(check, kept or nobody(), password) and kept is not None


def check(kept: str, password: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return hasher().verify(kept, password)
    except (Argon2Error, InvalidHashError):
        return False
