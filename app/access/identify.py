"""Finds out who makes a request."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import Flask, Request, current_app
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.access import peer, secrets
from app.access.principal import LOCAL, OPEN, SESSION, TOKEN, Principal
from app.config import Settings
from app.core.roles import Role, lower
from app.errors import LoginRequired
from app.extensions import db
from app.hosts import AUTHORITY, address_of
from app.models.access import AccessToken, LoginSession
from app.models.base import now

REQUIRED, AUTO, OFF = "required", "auto", "off"
# Set by proxies and tunnels: the person is then not at this machine, wherever the connection comes from.
FORWARDED = (
    *("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA", "HTTP_CF_", "HTTP_TRUE_CLIENT_IP"),
    *("HTTP_X_CLIENT_IP", "HTTP_X_ORIGINAL", "HTTP_X_CLUSTER_CLIENT_IP", "HTTP_FLY_CLIENT_IP", "HTTP_X_ENVOY"),
)


@dataclass
class Access:
    """An application's state of authentication.

    Args:
        mode: AUTH.
        open_to_all: whether AUTH=off holds for other machines too.
        volatile: sessions of the owner while nothing may be written, by digest; until when each holds.
        used: tokens by digest and when, since it was last written down: no request waits for that.
        names: of accounts by id; see creators.py.
    """

    mode: str
    open_to_all: bool
    instance: Path
    cookie: str
    volatile: dict[str, datetime] = field(default_factory=dict)
    used: dict[str, datetime] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @cached_property
    def owner_digest(self) -> str:
        return secrets.digest(secrets.owner_secret(self.instance))


def create_access(config: Settings) -> Access:
    """The cookie's name has the port: cookies of one host are sent to all its ports."""
    cookie = f"ytp_session_{config.PORT}"
    return Access(config.AUTH, config.AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK, config.INSTANCE_PATH, cookie)


def access_of(app: Flask | None = None) -> Access:
    access: Access = (app or current_app).extensions["access"]
    return access


def identify(request: Request) -> Principal | None:
    """The principal of a request; None: unknown.

    Raises:
        LoginRequired: it shows a token that is not valid.
    """
    access = access_of()
    if access.mode == OFF and (access.open_to_all or comes_from_here(request)):
        return Principal(None, None, Role.ADMIN, OPEN)
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return of_token(secret.strip())
    cookie = request.cookies.get(access.cookie)
    if cookie and (identity := of_session(cookie)):
        return identity
    if access.mode == AUTO and is_local(request):
        return Principal(None, None, Role.ADMIN, LOCAL)
    return None


def comes_from_here(request: Request) -> bool:
    """Whether the connection, if there is one, comes from this machine: AUTH=off is for it alone."""
    address = address_of(request.environ.get("REMOTE_ADDR") or "127.0.0.1")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and mapped.is_loopback


def is_forwarded(environ: WSGIEnvironment) -> bool:
    """Whether a proxy or a tunnel forwards the request for somebody else."""
    return any(name.startswith(FORWARDED) for name in environ)


def is_local(request: Request) -> bool:
    """Whether the owner's own program makes it, on this machine: all three, since a proxy, a tunnel and another user
    of the machine each have the first."""
    environ = request.environ
    return (
        names_loopback(environ.get("HTTP_HOST", ""))
        and not is_forwarded(environ)
        and peer.is_server_user(connection_of(environ))
    )


def connection_of(environ: WSGIEnvironment) -> Any:
    """The client's socket, where the server hands it on."""
    return environ.get("gunicorn.socket") or environ.get("werkzeug.socket")


def names_loopback(host: str) -> bool:
    """Whether a Host header names this machine's loopback."""
    match = AUTHORITY.fullmatch(host)
    if match is None:
        return False
    name = (match["address"] or match["name"]).lower().removesuffix(".")
    address = address_of(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def of_token(secret: str) -> Principal:
    """Who a token is for.

    Raises:
        LoginRequired: it is not valid.
    """
    holder = token_holder(secrets.digest(secret))
    if holder is None:
        raise LoginRequired(_("The token isn't valid: it was deleted or has expired, or it isn't complete."))
    if holder.token_id is not None:
        access_of().used[holder.digest] = now()
    return holder


def of_session(secret: str) -> Principal | None:
    """Who a cookie is for."""
    return session_holder(secrets.digest(secret))


def renewed(principal: Principal) -> Principal | None:
    """Who shows the same secret now; None: it is over. Without a secret nothing is over."""
    if not principal.digest:
        return principal
    return (token_holder if principal.via == TOKEN else session_holder)(principal.digest)


def token_holder(digest: str) -> Principal | None:
    """Who has the access token with this digest; None: nobody, or it has ended."""
    if digest == access_of().owner_digest:
        return Principal(None, None, Role.ADMIN, TOKEN, digest)
    row = valid_row(AccessToken, digest)
    return principal_of(row, TOKEN, row.id) if row else None


def session_holder(digest: str) -> Principal | None:
    """Who has the session with this digest; None: nobody, or it has ended."""
    if (until := access_of().volatile.get(digest)) and until > now():
        return Principal(None, None, Role.ADMIN, SESSION, digest)
    row = valid_row(LoginSession, digest)
    return principal_of(row, SESSION, row.token_id) if row else None


def valid_row(model: Any, digest: str) -> Any | None:
    """The token or session with this digest, unless it is over or its account is blocked."""
    query = select(model).where(model.digest == digest).options(joinedload(model.account))
    row = db.session.scalar(query.execution_options(populate_existing=True))
    over = row is None or is_over(row.expires_at) or (row.account and not row.account.active)
    return None if over else row


def principal_of(row: AccessToken | LoginSession, via: str, token_id: int | None) -> Principal:
    """An account's role may be another one since. What a token let in has no more than the token."""
    account, role = row.account, Role(row.role)
    if account is None:
        return Principal(None, None, role, via, row.digest, token_id)
    account_role = Role(account.role)
    return Principal(
        account.id, account.name, lower(role, account_role) if token_id else account_role, via, row.digest, token_id
    )


def is_over(moment: datetime | None) -> bool:
    return moment is not None and moment <= now()
