"""Identifies the principal of a request."""

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
# Headers that proxies and tunnels set: the person may then be on another machine, although the connection is local.
FORWARDED = (
    *("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA", "HTTP_CF_", "HTTP_TRUE_CLIENT_IP"),
    *("HTTP_X_CLIENT_IP", "HTTP_X_ORIGINAL", "HTTP_X_CLUSTER_CLIENT_IP", "HTTP_FLY_CLIENT_IP", "HTTP_X_ENVOY"),
)


@dataclass
class Access:
    """The authentication state of an application.

    Args:
        mode: AUTH.
        open_to_all: whether AUTH=off applies to other machines too.
        volatile: expiry of the owner's sessions by digest, for those created while the database is read-only.
        used: last use of tokens by digest, written periodically so that no request waits for it.
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
    """The cookie's name includes the port, since cookies of a host are sent to all its ports."""
    cookie = f"ytp_session_{config.PORT}"
    return Access(config.AUTH, config.AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK, config.INSTANCE_PATH, cookie)


def access_of(app: Flask | None = None) -> Access:
    access: Access = (app or current_app).extensions["access"]
    return access


def identify(request: Request) -> Principal | None:
    """The principal of a request; None: not authenticated.

    Raises:
        LoginRequired: its token is invalid.
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
    """Whether the connection, if there is one, comes from this machine: AUTH=off applies to it alone."""
    address = address_of(request.environ.get("REMOTE_ADDR") or "127.0.0.1")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and mapped.is_loopback


def is_forwarded(environ: WSGIEnvironment) -> bool:
    """Whether a proxy or a tunnel forwarded the request."""
    return any(name.startswith(FORWARDED) for name in environ)


def is_local(request: Request) -> bool:
    """Whether a program of the server's user on this machine sent it: local address, loopback Host and user are all
    checked, since a proxy, a tunnel or another user meets the first alone.
    """
    environ = request.environ
    return (
        names_loopback(environ.get("HTTP_HOST", ""))
        and not is_forwarded(environ)
        and peer.is_server_user(connection_of(environ))
    )


def connection_of(environ: WSGIEnvironment) -> Any:
    """The client's socket, if the server provides it."""
    return environ.get("gunicorn.socket") or environ.get("werkzeug.socket")


def names_loopback(host: str) -> bool:
    """Whether a Host header names the loopback interface."""
    match = AUTHORITY.fullmatch(host)
    if match is None:
        return False
    name = (match["address"] or match["name"]).lower().removesuffix(".")
    address = address_of(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def of_token(secret: str) -> Principal:
    """The principal of a token.

    Raises:
        LoginRequired: the token is invalid.
    """
    holder = token_holder(secrets.digest(secret))
    if holder is None:
        raise LoginRequired(_("The token isn't valid: it was deleted or has expired, or it isn't complete."))
    if holder.token_id is not None:
        access_of().used[holder.digest] = now()
    return holder


def of_session(secret: str) -> Principal | None:
    """The principal of a session cookie."""
    return session_holder(secrets.digest(secret))


def renewed(principal: Principal) -> Principal | None:
    """The principal with the same secret as of now; None: it has expired. A principal without a secret does
    not expire.
    """
    if not principal.digest:
        return principal
    return (token_holder if principal.via == TOKEN else session_holder)(principal.digest)


def token_holder(digest: str) -> Principal | None:
    """The principal of the access token with this digest; None: there is none, or it has expired."""
    if digest == access_of().owner_digest:
        return Principal(None, None, Role.ADMIN, TOKEN, digest)
    row = valid_row(AccessToken, digest)
    return principal_of(row, TOKEN, row.id) if row else None


def session_holder(digest: str) -> Principal | None:
    """The principal of the session with this digest; None: there is none, or it has expired."""
    if (until := access_of().volatile.get(digest)) and until > now():
        return Principal(None, None, Role.ADMIN, SESSION, digest)
    row = valid_row(LoginSession, digest)
    return principal_of(row, SESSION, row.token_id) if row else None


def valid_row(model: Any, digest: str) -> Any | None:
    """The token or session with this digest, unless it has expired or its account is blocked."""
    query = select(model).where(model.digest == digest).options(joinedload(model.account))
    row = db.session.scalar(query.execution_options(populate_existing=True))
    over = row is None or is_over(row.expires_at) or (row.account and not row.account.active)
    return None if over else row


def principal_of(row: AccessToken | LoginSession, via: str, token_id: int | None) -> Principal:
    """The principal with the account's present role, limited to the token's."""
    account, role = row.account, Role(row.role)
    if account is None:
        return Principal(None, None, role, via, row.digest, token_id)
    account_role = Role(account.role)
    return Principal(
        account.id, account.name, lower(role, account_role) if token_id else account_role, via, row.digest, token_id
    )


def is_over(moment: datetime | None) -> bool:
    return moment is not None and moment <= now()
