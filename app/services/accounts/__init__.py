"""Accounts and their sessions, tokens and invitations. Methods receive the principal as an argument."""

from dataclasses import dataclass

from app.services.accounts.identities import Identities
from app.services.accounts.invitations import Invitations
from app.services.accounts.logins import Logins
from app.services.accounts.owner_login import OwnerLogin
from app.services.accounts.people import People
from app.services.accounts.tokens import Tokens


@dataclass(frozen=True)
class AccountService:
    people: People
    tokens: Tokens
    invitations: Invitations
    logins: Logins
    owner_login: OwnerLogin
    identities: Identities


def create_account_service() -> AccountService:
    """Build the service with its collaborators."""
    people, invitations = People(), Invitations()
    owner_login = OwnerLogin(invitations)
    return AccountService(people, Tokens(), invitations, Logins(people, invitations), owner_login, Identities(people))
