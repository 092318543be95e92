"""People who log in through an OpenID Connect provider: identified by issuer and subject, never by an email address,
which may be reassigned, or be claimed by anyone.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.access import passwords
from app.access.back_channel import Departure, mark
from app.access.claims import Claims, Person, claim_at
from app.access.logout_tokens import LogoutRefused
from app.access.principal import SESSION, Principal
from app.config import Settings, settings
from app.core.roles import Role
from app.database import writing
from app.errors import Conflict, NotAllowed, NotFound
from app.extensions import db
from app.models import AccessToken, Account, ExternalIdentity, LoginSession
from app.models.base import now
from app.schemas.base import NAME
from app.services.accounts.logins import begin
from app.services.accounts.people import LONGEST_KEY, People, WrongPassword, add_account, end_invitations, key_of
from app.services.idempotency import RequestKey, reserve

LONGEST_NAME = 60
NAMED_BY = ("name", "preferred_username", "nickname", "email", "sub")
NO_ROLE = "none"
LOGOUT = "oidc.logout"  # scope of the ids of logout tokens, which are valid for minutes and stored for a day


class NotAdmitted(NotAllowed):
    """The provider has authenticated the person, but this installation does not admit them."""

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Identities:
    """Links between the provider's identities and our accounts."""

    def __init__(self, people: People) -> None:
        self.people = people

    def log_in(self, person: Person) -> tuple[Principal, str]:
        """Begin a session, creating the account at the first login; the principal and the secret of the cookie.

        Raises:
            NotAdmitted
        """
        try:
            return self._log_in(person)
        except IntegrityError:  # concurrent first logins of one person: the other request has created the account
            return self._log_in(person)

    def _log_in(self, person: Person) -> tuple[Principal, str]:
        config = settings()
        role = role_of(person.claims, config)
        with writing() as session:
            identity = identity_of(session, person)
            if identity is None:
                account = new_account(session, person, role, config)
            else:
                account = identity.account
                if not account.active:
                    raise NotAdmitted(_("Your account is blocked. Ask an admin."), "blocked")
                if config.OIDC_ROLE_CLAIM:
                    set_role(session, account, role)
            if role is not None or not config.OIDC_ROLE_CLAIM:
                account.seen_at = now()
                mine = Principal(account.id, account.name, Role(account.role), SESSION)
                until, sid = now() + timedelta(hours=config.OIDC_SESSION_HOURS), person.claims.get("sid")
                theirs = mark(person.issuer, sid) if isinstance(sid, str) else None
                return begin(session, mine, until, mark(person.issuer, person.subject), theirs)
        raise no_role_here()  # after the commit, which has removed the role

    def of(self, account_id: int) -> ExternalIdentity | None:
        """The account's link to the configured provider."""
        return next(filter(is_current, self.of_all([account_id])), None)

    def of_all(self, account_ids: Sequence[int]) -> list[ExternalIdentity]:
        """The links of these accounts to a provider, earlier providers included; oldest first."""
        theirs = ExternalIdentity.account_id.in_(account_ids)
        return list(db.session.scalars(select(ExternalIdentity).where(theirs).order_by(ExternalIdentity.id)))

    def expect_linkable(self, principal: Principal, password: str | None) -> None:
        """Check that a person may link their account: an open session alone must not add a permanent login.

        Raises:
            NotFound: the owner has no account.
            NotAllowed: the request uses a token.
            WrongPassword: the account has a password, and this is another one.
        """
        account = self.people.find(principal.account_id or 0)
        expect_person(principal)
        if account.password is not None and not passwords.fits(account.password, password or "", trusted=True):
            raise WrongPassword

    def link(self, account_id: int, person: Person) -> None:
        """Link a person at the provider to an account, for later logins.

        Raises:
            Conflict: they have another account, or the account is already linked.
            NotFound: the account was deleted.
        """
        with writing() as session:
            if session.get(Account, account_id) is None:
                raise NotFound(_("User %(id)s doesn't exist.", id=account_id))
            if identity_of(session, person) is not None:
                raise Conflict(_("This login of the provider belongs to an account already."))
            if self.of(account_id) is not None:
                raise Conflict(_("The account is linked already. Remove that link first."))
            session.add(ExternalIdentity(account_id=account_id, issuer=person.issuer, subject=person.subject))

    def unlink(self, principal: Principal) -> None:
        """Remove the account's link to the provider, and end its other sessions.

        Raises:
            Conflict: it would leave no way to log in.
            NotFound: it is not linked.
            NotAllowed: the request uses a token.
        """
        expect_person(principal)
        account_id = principal.account_id or 0
        with writing() as session:
            if session.scalar(select(ExternalIdentity.id).where(ExternalIdentity.account_id == account_id)) is None:
                raise NotFound(_("The account isn't linked."))
            if session.get_one(Account, account_id).password is None:
                raise Conflict(_("Choose a password first: without the link there would be no way in."))
            session.execute(delete(ExternalIdentity).where(ExternalIdentity.account_id == account_id))
            other_sessions = LoginSession.account_id == account_id, LoginSession.digest != principal.digest
            session.execute(delete(LoginSession).where(*other_sessions))

    def end_sessions(self, departure: Departure) -> Principal | None:
        """End the sessions that began at the provider and have ended there.

        Returns:
            The principal of the sessions; None: there were none.

        Raises:
            LogoutRefused: the token was used before; sessions begun since then continue.
        """
        try:
            return self._end_sessions(departure)
        except IntegrityError as error:
            raise LogoutRefused("jti") from error

    def _end_sessions(self, departure: Departure) -> Principal | None:
        """`end_sessions`.

        Raises:
            IntegrityError: the token was used before.
        """
        token = RequestKey(mark(departure.issuer, departure.token_id), LOGOUT, digest="")
        conditions = []
        if departure.subject is not None:
            conditions.append(LoginSession.provider_subject == mark(departure.issuer, departure.subject))
        if departure.session is not None:
            conditions.append(LoginSession.provider_session == mark(departure.issuer, departure.session))
        with writing() as session:
            reserve(session, token)
            rows = list(session.scalars(select(LoginSession).where(*conditions)))
            account = rows[0].account if rows else None
            session.execute(delete(LoginSession).where(LoginSession.id.in_([row.id for row in rows])))
            return Principal(account.id, account.name, Role(account.role), SESSION) if account else None

    def remove(self, account_id: int, identity_id: int) -> None:
        """Remove a link as an admin. All sessions of the account end, since it is not stored which ones began through
        the link.

        Raises:
            NotFound: the account has no such link.
        """
        with writing() as session:
            identity = session.get(ExternalIdentity, identity_id)
            if identity is None or identity.account_id != account_id:
                raise NotFound(_("The account isn't linked."))
            session.delete(identity)
            session.execute(delete(LoginSession).where(LoginSession.account_id == account_id))


def is_current(identity: ExternalIdentity) -> bool:
    """Whether an identity is of the configured provider; identities of an earlier provider cannot log in."""
    return identity.issuer.rstrip("/") == settings().OIDC_ISSUER.rstrip("/")


def expect_person(principal: Principal) -> None:
    """
    Raises:
        NotAllowed: the request uses a token, or a session begun with one: a viewer's token must not change how its
            owner logs in.
    """
    if principal.via != SESSION or principal.token_id:
        raise NotAllowed(_("A token can't do this. Log in with name and password."))


def identity_of(session: Any, person: Person) -> ExternalIdentity | None:
    """The row of a person at a provider; None: their first login."""
    mine = ExternalIdentity.issuer == person.issuer, ExternalIdentity.subject == person.subject
    identity: ExternalIdentity | None = session.scalar(select(ExternalIdentity).where(*mine))
    return identity


def new_account(session: Any, person: Person, role: Role | None, config: Settings) -> Account:
    """Create the account of a first login, in the caller's write transaction.

    Raises:
        NotAdmitted: neither OIDC_ALLOWED nor a role admits them.
    """
    if not is_allowed(person.claims, config.OIDC_ALLOWED):
        message = _("You have no account here yet. Ask an admin for an invitation, then link the two in Account.")
        raise NotAdmitted(message, "no_account")
    account = add_account(session, unused_name(session, person.claims), expect_role(role), None)
    session.add(ExternalIdentity(account_id=account.id, issuer=person.issuer, subject=person.subject))
    session.flush()
    return account


def expect_role(role: Role | None) -> Role:
    """
    Raises:
        NotAdmitted: there is none.
    """
    if role is None:
        raise no_role_here()
    return role


def no_role_here() -> NotAdmitted:
    return NotAdmitted(_("The provider gives you no role on this server. Ask an admin."), "no_role")


def set_role(session: Any, account: Account, role: Role | None) -> None:
    """Set the role of the provider's claims. None: sessions and tokens end, and a local password gives only a viewer's
    role.
    """
    if account.role == Role.ADMIN and role != Role.ADMIN:
        end_invitations(session)
    if role is None:
        for kind in (LoginSession, AccessToken):
            session.execute(delete(kind).where(kind.account_id == account.id))
    account.role = role or Role.VIEWER


def role_of(claims: Claims, config: Settings) -> Role | None:
    """The role of the claims, otherwise OIDC_ROLE; None: no role."""
    groups = claim_at(claims, config.OIDC_ROLE_CLAIM) if config.OIDC_ROLE_CLAIM else None
    values = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    roles = [role for value, role in config.OIDC_ROLES if value in values]
    if roles:
        return max(roles, key=lambda role: role.rank)
    return None if config.OIDC_ROLE == NO_ROLE else Role(config.OIDC_ROLE)


def is_allowed(claims: Claims, allowed: tuple[str, ...]) -> bool:
    """Whether OIDC_ALLOWED includes them. An unverified email address proves nothing."""
    if "*" in allowed:
        return True
    address = claims.get("email")
    verified = claims.get("email_verified") in (True, "true")  # some providers send a string
    if not isinstance(address, str) or not verified or not address.isascii():
        return False
    address = address.lower()
    return address in allowed or f"@{address.rpartition('@')[2]}" in allowed


def unused_name(session: Any, claims: Claims) -> str:
    """A visible name that no other account has."""
    preferred = next((text for name in NAMED_BY if (text := visible(claims.get(name)))), "?")
    stem = preferred[: LONGEST_NAME - 8]
    # normalization may expand one character to 18, leaving no space for a number
    while len(key_of(stem)) > LONGEST_KEY - 8:
        stem = stem[:-1]
    number = 1
    name = preferred
    while session.scalar(select(Account.id).where(Account.key == key_of(name))) is not None:
        number += 1
        name = f"{stem} {number}"
    return name


def visible(value: Any) -> str:
    """The visible characters of a name, as a person could type it; of an email address, the part before the @."""
    if not isinstance(value, str):
        return ""
    text = " ".join("".join(letter for letter in value if letter.isprintable()).split())
    text = text.partition("@")[0][:LONGEST_NAME].strip()
    return text if re.fullmatch(NAME, text) and key_of(text) else ""
