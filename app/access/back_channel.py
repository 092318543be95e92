"""Logout tokens of an OpenID Connect provider: OpenID Connect Back-Channel Logout 1.0, section 2.6.

Authlib does not support them. The checks are those of an ID token, with three differences: the token names the logout
event, has no nonce (otherwise an ID token of a login, which browsers see, could be sent here), and is valid for some
minutes. It is accepted once: ending the sessions refuses a known token id.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from app.access.claims import LONGEST_SUBJECT, Claims

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_TOKEN = 8192
LEEWAY_S = 60
LASTS_S = 600  # lifetime from its issue; if it has no `exp`


@dataclass(frozen=True)
class Departure:
    """A logout at the provider.

    Args:
        subject: whose sessions end; None: a session was named without its subject.
        session: the one that ended; None: all sessions of the subject.
        token_id: the token's `jti`, which the issuer does not reuse.
    """

    issuer: str
    subject: str | None
    session: str | None
    token_id: str


def departure_of(claims: Claims, issuer: str, audience: str) -> Departure:
    """The departure in a logout token whose signature was verified.

    Raises:
        ValueError: a code for what is invalid.
    """
    if claims.get("iss") != issuer:
        raise ValueError("iss")
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise ValueError("aud")
    check_times(claims)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise ValueError("events")
    if "nonce" in claims:
        raise ValueError("nonce")
    subject, session = text_of(claims, "sub"), text_of(claims, "sid")
    if subject is None and session is None:
        raise ValueError("sub")
    token_id = text_of(claims, "jti")
    if token_id is None:
        raise ValueError("jti")
    return Departure(issuer, subject, session, token_id)


def check_times(claims: Claims) -> None:
    """
    Raises:
        ValueError: it is from the future, or expired.
    """
    now, issued_at, end = time.time(), claims.get("iat"), claims.get("exp")
    if not is_moment(issued_at) or not now - LASTS_S - LEEWAY_S < issued_at < now + LEEWAY_S:
        raise ValueError("iat")
    if end is not None and (not is_moment(end) or end < now - LEEWAY_S):
        raise ValueError("exp")


def is_moment(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_SUBJECT:
        raise ValueError(name)
    return value


def mark(issuer: str, name: str) -> str:
    """The hash under which a subject, a session or a token of the provider is stored."""
    return hashlib.sha256(f"{issuer}\0{name}".encode()).hexdigest()
