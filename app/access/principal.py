"""The principal of the current request: a person, or the owner of the installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import g, has_request_context

from app.core.roles import Role

LOCAL, OPEN, SESSION, TOKEN = "local", "open", "session", "token"  # how they came in


@dataclass(frozen=True)
class Principal:
    """A person, or the owner of the installation.

    Args:
        account_id: None: the owner.
        name: None: the owner.
        role: of the account, or less where the token has less.
        via: LOCAL, the owner's own program on this machine; OPEN, AUTH=off; SESSION; TOKEN.
        digest: of the secret that was shown; empty without one.
        token_id: of the token that was shown, or that the session came from.
    """

    account_id: int | None
    name: str | None
    role: Role
    via: str
    digest: str = ""
    token_id: int | None = None

    def owns(self, created_by: int | None) -> bool:
        """Whether a thing is theirs to change."""
        return self.role == Role.ADMIN or created_by == self.account_id  # None: the owner, through a lesser token

    @property
    def by_browser(self) -> bool:
        """Whether a browser shows it without being asked, for whatever page makes the request."""
        return self.via != TOKEN


def current() -> Principal | None:
    """Of the present request; None: nobody, or no request."""
    return g.get("principal") if has_request_context() else None


@contextmanager
def on_behalf_of(account_id: int | None) -> Iterator[None]:
    """Work that goes on behind a request: what it makes is theirs who asked for it. Within a request's context."""
    before = g.get("principal")
    g.principal = Principal(account_id, None, Role.TRAINER, TOKEN)
    try:
        yield
    finally:
        g.principal = before


def current_account_id() -> int | None:
    """What new rows keep as `created_by`; None: the owner, or the server itself."""
    principal = current()
    return principal.account_id if principal else None
