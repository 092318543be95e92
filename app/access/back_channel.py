"""A provider's statement that somebody has logged out there: OpenID Connect Back-Channel Logout 1.0, section 2.6.

Authlib has nothing for it. What is checked is what an ID token is, but for three things: it says what it is, it has no
nonce (else an ID token of a login, which browsers see, could be sent here), and it works for some minutes. It works
once, too: what ends the sessions refuses an id that came before.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from app.access.claims import LONGEST_SUBJECT, Claims

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_TOKEN = 8192
LEEWAY_S = 60
LASTS_S = 600  # from when the provider made it; without an `exp` of its own


@dataclass(frozen=True)
class Departure:
    """Who has logged out at the provider.

    Args:
        subject: of all sessions; None: of one session whose person is not said.
        session: the one that has ended; None: all of the subject.
        token_id: of the token that said so, its `jti`: the issuer makes no other one with it.
    """

    issuer: str
    subject: str | None
    session: str | None
    token_id: str


def departure_of(claims: Claims, issuer: str, audience: str) -> Departure:
    """The departure in a logout token, whose signature was checked.

    Raises:
        ValueError: a code of what is not right.
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
        ValueError: it is from the future, or too old.
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
    """What is remembered of a subject, a session or a token of the provider."""
    return hashlib.sha256(f"{issuer}\0{name}".encode()).hexdigest()
