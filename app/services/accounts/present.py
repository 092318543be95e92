"""Users, tokens and invitations as the API shows them: never what is secret."""

from app.models.access import AccessToken, Account, Invitation
from app.schemas.accounts import OpenInvitationValues, TokenOutValues, UserOutValues


def account_view(account: Account) -> UserOutValues:
    """The keys of UserOut."""
    return {
        "id": account.id,
        "name": account.name,
        "role": account.role,
        "active": account.active,
        "created_at": account.created_at,
        "seen_at": account.seen_at,
        "has_password": account.password is not None,
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
    return {
        "invitation_id": row.id,
        "role": row.role,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }
