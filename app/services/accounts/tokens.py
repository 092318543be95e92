"""Access tokens for scripts."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete, select, update

from app.access import secrets
from app.access.identify import access_of
from app.access.principal import Principal
from app.core.roles import Role
from app.database import writing
from app.errors import LoginRequired, NotAllowed, NotFound
from app.extensions import db
from app.models import AccessToken, LoginSession

PREFIX_LENGTH = 10  # letters of a secret that identify the token in lists


class Tokens:
    """A person's access tokens; an admin may also delete those of other people."""

    def of(self, principal: Principal) -> list[AccessToken]:
        """Newest first."""
        query = select(AccessToken).where(AccessToken.account_id == principal.account_id)
        return list(db.session.scalars(query.order_by(AccessToken.id.desc())))

    def create(
        self, principal: Principal, name: str, role: str, expires_at: datetime | None = None
    ) -> tuple[AccessToken, str]:
        """Create a token; its row and its secret, which is not stored. A token created with a token expires no later.

        Raises:
            NotAllowed: the role exceeds the person's own.
        """
        if not principal.role.covers(Role(role)):
            raise NotAllowed(_("A token can't have a higher role than yours, “%(role)s”.", role=str(principal.role)))
        secret = secrets.new_secret()
        with writing() as session:
            if principal.token_id:
                expires_at = earlier(expires_at, maker_of(session, principal.token_id).expires_at)
            token = AccessToken(
                account_id=principal.account_id,
                name=name,
                role=Role(role),
                digest=secrets.digest(secret),
                start=secret[:PREFIX_LENGTH],
                expires_at=expires_at,
            )
            session.add(token)
        return token, secret

    def write_uses(self) -> int:
        """Write the last uses of tokens since the previous call, once a minute; returns how many."""
        access = access_of()
        used, access.used = access.used, {}
        if not used:
            return 0
        try:
            with writing() as session:
                for digest, moment in used.items():  # ids may be reused, digests not
                    session.execute(update(AccessToken).where(AccessToken.digest == digest).values(used_at=moment))
        except Exception:
            access.used = used | access.used
            raise
        return len(used)

    def delete(self, principal: Principal, token_id: int) -> None:
        """Delete a token, and the sessions begun with it.

        Raises:
            NotFound: there is none, or it is another person's.
            NotAllowed: the request uses a token of a lesser role than this one.
        """
        with writing() as session:
            token = session.get(AccessToken, token_id)
            if token is None or not (principal.account_id == token.account_id or principal.role == Role.ADMIN):
                raise NotFound(_("Token %(id)s doesn't exist.", id=token_id))
            if principal.token_id and not principal.role.covers(Role(token.role)):
                raise NotAllowed(_("A token can't delete one with a higher role. Log in to delete it."))
            session.execute(delete(LoginSession).where(LoginSession.token_id == token_id))
            session.delete(token)


def maker_of(session: Any, token_id: int) -> AccessToken:
    """The token with which another one is created, in the caller's write transaction.

    Raises:
        LoginRequired: it has just been deleted.
    """
    token: AccessToken | None = session.get(AccessToken, token_id, with_for_update=True)
    if token is None:
        raise LoginRequired(_("The token isn't valid: it was deleted or has expired, or it isn't complete."))
    return token


def earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    """The earlier time; None: never."""
    return min((moment for moment in (first, second) if moment is not None), default=None)
