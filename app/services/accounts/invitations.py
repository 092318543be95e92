"""One-time links: invitations, and the owner's login link."""

from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, delete, select

from app.access import secrets
from app.core.roles import Role
from app.database import writing
from app.errors import LoginRequired, NotFound
from app.extensions import db
from app.models import Invitation
from app.models.base import now

OWNER_LINK_LIFETIME = timedelta(minutes=15)
INVITATION_LIFETIME = timedelta(days=7)


class Invitations:
    """The open links."""

    def invite(self, role: str) -> tuple[Invitation, str]:
        """Create an invitation; the row and its secret."""
        return self._create(Role(role), owner=False)

    def open_invitations(self) -> list[Invitation]:
        """Open invitations to new accounts, newest first."""
        still = Invitation.owner.is_(False), Invitation.used_at.is_(None), Invitation.expires_at > now()
        return list(db.session.scalars(select(Invitation).where(*still).order_by(Invitation.id.desc())))

    def revoke(self, invitation_id: int) -> None:
        """Invalidate an invitation.

        Raises:
            NotFound: there is no such open invitation.
        """
        mine = Invitation.id == invitation_id, Invitation.owner.is_(False), Invitation.used_at.is_(None)
        with writing() as session:
            result: Any = session.execute(delete(Invitation).where(*mine))
            if not result.rowcount:
                raise NotFound(_("There is no open invitation %(id)s.", id=invitation_id))

    def for_owner(self) -> str:
        """The secret of a new login link for the owner."""
        return self._create(Role.ADMIN, owner=True)[1]

    def _create(self, role: Role, owner: bool) -> tuple[Invitation, str]:
        secret = secrets.new_secret()
        until = now() + (OWNER_LINK_LIFETIME if owner else INVITATION_LIFETIME)
        with writing() as session:
            session.execute(delete(Invitation).where(Invitation.expires_at < now() - INVITATION_LIFETIME))
            row = Invitation(digest=secrets.digest(secret), role=role, owner=owner, expires_at=until)
            session.add(row)
        return row, secret

    def use(self, session: Any, secret: str, owner: bool) -> Invitation:
        """Mark a link as used, in the caller's write transaction.

        Raises:
            LoginRequired: it was used, has expired, or does not exist.
        """
        row = expect_open(session.scalar(by_secret(secret).with_for_update()), owner)
        row.used_at = now()
        return row

    def expect_open(self, secret: str, owner: bool) -> Invitation:
        """An open invitation.

        Raises:
            LoginRequired: as `use` would.
        """
        return expect_open(db.session.scalar(by_secret(secret)), owner)


def by_secret(secret: str) -> Select[Invitation]:
    return select(Invitation).where(Invitation.digest == secrets.digest(secret))


def expect_open(row: Invitation | None, owner: bool) -> Invitation:
    """Return the invitation if it is open.

    Raises:
        LoginRequired: it was used, has expired, or does not exist.
    """
    if row is None or row.owner != owner:
        raise LoginRequired(unknown_link(owner))
    if row.used_at is not None or row.expires_at <= now():
        raise LoginRequired(unknown_link(owner) if owner else closed_invitation(row))
    return row


def unknown_link(owner: bool) -> str:
    """The message for a link without a row; the owner's links are short-lived, so theirs have probably expired."""
    if owner:
        return _("This link was used already, has expired, or isn't complete. Ask for a new one.")
    return _("This invitation was revoked or has expired, or its link isn't complete. Ask an admin for a new one.")


def closed_invitation(row: Invitation) -> str:
    """Why an invitation is closed, and what to do."""
    if row.used_at is None:
        return _("This invitation has expired. Ask an admin for a new one.")
    return _(
        "This invitation was used already. If you created your account with it, log in with its name and password; "
        "otherwise ask an admin for a new one."
    )
