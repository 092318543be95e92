"""Users, tokens and invitations for the API, without secrets."""

from collections.abc import Iterable

from app.models.access import AccessToken, Account, ExternalIdentity, Invitation
from app.schemas.access_tokens import TokenOutValues
from app.schemas.accounts import IdentityOutValues, UserOutValues
from app.schemas.invitations import OpenInvitationValues
from app.services.accounts.identities import is_current


def account_view(account: Account, identities: Iterable[ExternalIdentity]) -> UserOutValues:
    """The fields of UserOut.

    Args:
        identities: of this account, perhaps among others.
    """
    return {
        "id": account.id,
        "name": account.name,
        "role": account.role,
        "active": account.active,
        "created_at": account.created_at,
        "seen_at": account.seen_at,
        "has_password": account.password is not None,
        "identities": [identity_view(identity) for identity in identities if identity.account_id == account.id],
    }


def identity_view(identity: ExternalIdentity) -> IdentityOutValues:
    return {
        "id": identity.id,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "current": is_current(identity),
        "created_at": identity.created_at,
    }


def token_view(token: AccessToken) -> TokenOutValues:
    """A token without its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "start": token.start,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
    }


def invitation_view(row: Invitation) -> OpenInvitationValues:
    """An open invitation, without its secret."""
    return {
        "invitation_id": row.id,
        "role": row.role,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }
