"""Accounts."""

import unicodedata
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete, select, update

from app.access import passwords
from app.access.creators import forget_names
from app.access.principal import SESSION, Principal
from app.core.roles import Role
from app.database import writing
from app.errors import NotAllowed, NotFound, Unprocessable
from app.extensions import db
from app.models import AccessToken, Account, ExternalIdentity, Invitation, LoginSession
from app.models.base import now
from app.schemas.accounts import UserPatchValues

INVISIBLE = {"Cc", "Cf", "Cn", "Co"}  # Unicode categories
LONGEST_KEY = 120
FRESH = timedelta(minutes=15)  # of a session


class WrongPassword(Unprocessable):
    """The current password, which a change requires, is wrong."""

    def __init__(self) -> None:
        message = _("This isn't your present password.")
        super().__init__(message, [{"field": "current", "message": message}])


class People:
    """The accounts of this installation. The owner has none."""

    def all(self) -> list[Account]:
        return list(db.session.scalars(select(Account).order_by(Account.key)))

    def by_name(self, name: str) -> Account | None:
        return db.session.scalar(select(Account).where(Account.key == key_of(name)))

    def create(self, name: str, role: str, password: str | None = None) -> Account:
        """Create an account.

        Raises:
            Unprocessable: the name is taken.
        """
        password_hash = passwords.hashed(password) if password else None
        with writing() as session:
            return add_account(session, name, role, password_hash)

    def edit(self, account_id: int, changes: UserPatchValues) -> Account:
        """Change name, role, active or password. A new password, or `active` set to false, ends the sessions; an admin
        who loses the role or is blocked ends the open invitations.

        Raises:
            NotFound: there is no such account.
            Unprocessable: the new name is taken.
        """
        columns: dict[str, object] = {**changes}
        if password := changes.get("password"):
            columns["password"] = passwords.hashed(password)
        with writing() as session:
            account = session.get(Account, account_id)
            if account is None:
                raise account_not_found(account_id)
            if "name" in changes:
                columns["key"] = key = key_of(changes["name"])
                refuse_duplicate_name(session, key, account_id)
            was_admin = account.role == Role.ADMIN
            for name, value in columns.items():
                setattr(account, name, value)
            if was_admin and (account.role != Role.ADMIN or not account.active):
                end_invitations(session)
            if password or not account.active:
                session.execute(delete(LoginSession).where(LoginSession.account_id == account_id))
        forget_names()
        return account

    def find(self, account_id: int) -> Account:
        """The account with this id.

        Raises:
            NotFound
        """
        account = db.session.get(Account, account_id)
        if account is None:
            raise account_not_found(account_id)
        return account

    def choose_password(self, principal: Principal, current: str | None, password: str) -> None:
        """Change the person's own password. Their other sessions end; tokens stay.

        Raises:
            WrongPassword: `current` is not the present one.
            NotAllowed: the account has no password and the request uses a token, which would gain rights. Or the person
                logs in through a provider, and has not done so recently: an open session alone must not add a permanent
                login.
            NotFound: the owner has no account.
        """
        account_id = principal.account_id or 0
        account = self.find(account_id)
        if account.password is None and (principal.via != SESSION or principal.token_id):
            raise NotAllowed(_("A token can't choose the first password. Log in, or ask an admin."))
        if account.password is None and comes_by_provider(account_id) and not is_fresh(principal):
            raise NotAllowed(_("Log out, log in by the provider again, and choose a password within 15 minutes."))
        if account.password is not None and not passwords.fits(account.password, current or "", trusted=True):
            raise WrongPassword
        password_hash = passwords.hashed(password)
        other_sessions = LoginSession.account_id == account_id, LoginSession.digest != principal.digest
        with writing() as session:
            session.get_one(Account, account_id).password = password_hash
            session.execute(delete(LoginSession).where(*other_sessions))

    def delete(self, account_id: int) -> None:
        """Delete an account with its sessions and tokens. Its objects stay, and belong to the admins.

        Raises:
            NotFound
        """
        with writing() as session:
            account = session.get(Account, account_id)
            if account is None:
                raise account_not_found(account_id)
            if account.role == Role.ADMIN:
                end_invitations(session)
            for table in tables_with_creator():
                column = table.c.created_by
                session.execute(update(table).where(column == account_id).values(created_by=None))
            for kind in (LoginSession, AccessToken, ExternalIdentity):
                session.execute(delete(kind).where(kind.account_id == account_id))
            session.execute(delete(Account).where(Account.id == account_id))
        forget_names()


def comes_by_provider(account_id: int) -> bool:
    mine = select(ExternalIdentity.id).where(ExternalIdentity.account_id == account_id)
    return db.session.scalar(mine.limit(1)) is not None


def is_fresh(principal: Principal) -> bool:
    """Whether the session has just begun."""
    begun = db.session.scalar(select(LoginSession.created_at).where(LoginSession.digest == principal.digest))
    return begun is not None and now() - begun < FRESH


def end_invitations(session: Any) -> None:
    """Delete all open invitations, since their creators are not stored."""
    session.execute(delete(Invitation).where(Invitation.owner.is_(False), Invitation.used_at.is_(None)))


def tables_with_creator() -> list[Any]:
    """The tables whose rows have a `created_by`."""
    return [table for table in db.metadata.sorted_tables if "created_by" in table.c]


def key_of(name: str) -> str:
    """The normalized name: equal for names that differ only in case, width, invisible characters or blanks. Lookalike
    letters of other scripts stay different.
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    visible = (letter for letter in text if unicodedata.category(letter) not in INVISIBLE)
    return " ".join("".join(visible).split())[:LONGEST_KEY]


def refuse_duplicate_name(session: Any, key: str, account_id: int | None = None) -> None:
    """Check that no other account has this name.

    Raises:
        Unprocessable: another account has the name.
    """
    holder = session.scalar(select(Account.id).where(Account.key == key))
    if holder is not None and holder != account_id:
        message = _("Somebody has this name already. Choose another one.")
        raise Unprocessable(message, [{"field": "name", "message": message}])


def add_account(session: Any, name: str, role: str, password: str | None) -> Account:
    """Create an account's row, in the caller's write transaction.

    Raises:
        Unprocessable: the name is taken.
    """
    refuse_duplicate_name(session, key_of(name))
    account = Account(name=name.strip(), key=key_of(name), role=Role(role), password=password)
    session.add(account)
    session.flush()
    forget_names()
    return account


def account_not_found(account_id: int) -> NotFound:
    return NotFound(_("User %(id)s doesn't exist.", id=account_id))
