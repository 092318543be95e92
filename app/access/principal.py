"""The principal of the current request: a person, or the owner of the installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import g, has_request_context

from app.core.roles import Role

LOCAL, OPEN, SESSION, TOKEN = "local", "open", "session", "token"  # how they were authenticated


@dataclass(frozen=True)
class Principal:
    """A person, or the owner of the installation.

    Args:
        account_id: None: the owner.
        name: None: the owner.
        role: that of the account, or the lesser one of its token.
        via: LOCAL, the owner's own program on this machine; OPEN, AUTH=off; SESSION; TOKEN.
        digest: of the presented secret; empty without one.
        token_id: of the presented token, or of the one that the session was created with.
    """

    account_id: int | None
    name: str | None
    role: Role
    via: str
    digest: str = ""
    token_id: int | None = None

    def owns(self, created_by: int | None) -> bool:
        """Whether an object is theirs to change."""
        # None: the owner, with a token of a lesser role
        return self.role == Role.ADMIN or created_by == self.account_id

    @property
    def by_browser(self) -> bool:
        """Whether the browser authenticates automatically, for any page that causes the request."""
        return self.via != TOKEN


def current() -> Principal | None:
    """The principal of the current request; None: unauthenticated, or no request."""
    return g.get("principal") if has_request_context() else None


@contextmanager
def on_behalf_of(account_id: int | None) -> Iterator[None]:
    """Work of a request in the background: its rows belong to this account. Within a request's context."""
    before = g.get("principal")
    g.principal = Principal(account_id, None, Role.TRAINER, TOKEN)
    try:
        yield
    finally:
        g.principal = before


def current_account_id() -> int | None:
    """`created_by` of new rows; None: the owner, or the server itself."""
    principal = current()
    return principal.account_id if principal else None
