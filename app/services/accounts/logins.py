"""Browser sessions: begun with a token, a name and a password, or a link."""

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete

from app.access import passwords, secrets
from app.access.identify import access_of, of_token
from app.access.principal import SESSION, Principal
from app.core.roles import Role
from app.database import writing
from app.errors import LoginRequired, WritesRefused
from app.models import AccessToken, LoginSession
from app.models.base import now
from app.services.accounts.invitations import Invitations
from app.services.accounts.people import People, add_account

LASTS = timedelta(days=30)


class Logins:
    """Every kind of login returns the principal and the secret of the session's cookie."""

    def __init__(self, people: People, invitations: Invitations) -> None:
        self.people, self.invitations = people, invitations

    def by_token(self, secret: str) -> tuple[Principal, str]:
        """Log in with an access token, or the owner's secret.

        Raises:
            LoginRequired: it is not valid.
        """
        login = of_token(secret)
        try:
            with writing() as session:
                token = session.get(AccessToken, login.token_id) if login.token_id else None
                until = min(now() + LASTS, token.expires_at) if token and token.expires_at else now() + LASTS
                return begin(session, login, until)
        except WritesRefused:  # the person who has to repair the database must be able to log in
            if login.account_id is not None or login.role != Role.ADMIN:
                raise
            secret = secrets.new_secret()
            access_of().volatile[secrets.digest(secret)] = now() + timedelta(hours=1)
            return login, secret

    def by_password(self, name: str, password: str, recognized_browser: bool = False) -> tuple[Principal, str]:
        """Log in with a name and a password.

        Args:
            recognized_browser: the account has logged in from this browser before.

        Raises:
            LoginRequired: one of them is wrong; the message does not tell which.
        """
        account = self.people.by_name(name)
        fits = passwords.fits(account.password if account else None, password, recognized_browser)
        if account is None or not fits or not account.active:
            raise LoginRequired(_("Name or password is wrong."))
        with writing() as session:
            account.seen_at = now()
            return begin(session, Principal(account.id, account.name, Role(account.role), SESSION), now() + LASTS)

    def by_owner_link(self, secret: str) -> tuple[Principal, str]:
        """Log the owner in with a one-time link.

        Raises:
            LoginRequired: the link is closed.
        """
        with writing() as session:
            self.invitations.use(session, secret, owner=True)
            return begin(session, Principal(None, None, Role.ADMIN, SESSION), now() + LASTS)

    def by_invitation(self, secret: str, name: str, password: str | None) -> tuple[Principal, str]:
        """Create an account, and its first session.

        Raises:
            LoginRequired: the link is closed.
            Unprocessable: the name is taken; the link stays open.
        """
        # checked first, so that strangers cannot cause hash computations
        self.invitations.expect_open(secret, owner=False)
        password_hash = passwords.hashed(password) if password else None
        with writing() as session:
            role = Role(self.invitations.use(session, secret, owner=False).role)
            account = add_account(session, name, role, password_hash)
            account.seen_at = now()
            return begin(session, Principal(account.id, account.name, role, SESSION), now() + LASTS)

    def end(self, secret: str) -> None:
        """End the session of a cookie."""
        digest = secrets.digest(secret)
        access_of().volatile.pop(digest, None)
        with writing() as session:
            session.execute(delete(LoginSession).where(LoginSession.digest == digest))


def begin(
    session: Any, principal: Principal, until: datetime, subject: str | None = None, provider_session: str | None = None
) -> tuple[Principal, str]:
    """Create a session, in the caller's write transaction; expired sessions are deleted.

    Args:
        subject, provider_session: for a logout by the provider, see back_channel.py.
    """
    secret = secrets.new_secret()
    session.execute(delete(LoginSession).where(LoginSession.expires_at < now()))
    session.add(
        LoginSession(
            account_id=principal.account_id,
            token_id=principal.token_id,
            digest=secrets.digest(secret),
            role=principal.role,
            expires_at=until,
            provider_subject=subject,
            provider_session=provider_session,
        )
    )
    return principal, secret
