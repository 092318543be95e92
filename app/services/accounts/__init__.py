"""Accounts and their sessions, tokens and invitations. Each method gets the principal as an argument."""

from dataclasses import dataclass

from app.services.accounts.identities import Identities
from app.services.accounts.invitations import Invitations
from app.services.accounts.logins import Logins
from app.services.accounts.people import People
from app.services.accounts.tokens import Tokens
from app.services.accounts.way_in import OwnersWayIn


@dataclass(frozen=True)
class AccountService:
    people: People
    tokens: Tokens
    invitations: Invitations
    logins: Logins
    way_in: OwnersWayIn
    identities: Identities


def create_account_service() -> AccountService:
    """Build the service with its collaborators."""
    people, invitations = People(), Invitations()
    way_in = OwnersWayIn(invitations)
    return AccountService(people, Tokens(), invitations, Logins(people, invitations), way_in, Identities(people))
