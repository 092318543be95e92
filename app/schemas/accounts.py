"""Logins, users, invitations and tokens."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Integer, List, Nested, String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError, validates_schema

from app.core.roles import Role
from app.schemas.base import NAME as NAME_PATTERN
from app.schemas.base import DateTime, Message, MessageValues, Schema, StrictBoolean, moment, name_field, one_of

ROLES = [str(role) for role in Role]
WAYS = ("token", "link", "invitation", "password")


def account_name(**options: Any) -> String:
    """A name of 1 to 60 visible characters."""
    field = name_field(**options)
    field.validators.append(Length(1, 60, error=_l("Must have 1 to 60 characters.")))
    field.metadata = {"pattern": f"^{NAME_PATTERN}$"}
    return field


def password_field(**options: Any) -> String:
    return String(validate=Length(10, 200, error=_l("Must have 10 to 200 characters.")), **options)


def role_field(**options: Any) -> String:
    return String(validate=one_of(ROLES), metadata={"enum": ROLES}, **options)


class LoginIn(Schema):
    token = String(validate=Length(1, 200), metadata={"description": "An access token, or the owner's."})
    link = String(validate=Length(1, 200), metadata={"description": "The secret of a link that the server printed."})
    invitation = String(
        validate=Length(1, 200), metadata={"description": "The secret of an invitation, with a `name` to be known by."}
    )
    name = account_name()
    password = String(
        validate=Length(1, 200),
        metadata={"description": "With a name alone: the account's. With an invitation: 10 characters or more."},
    )

    @validates_schema
    def says_who(self, data: dict[str, Any], **_: Any) -> None:
        if sum(name in data for name in WAYS[:3]) > 1:
            raise ValidationError(str(_l("Send one of token, link and invitation.")), "token")
        if "token" in data or "link" in data:
            return
        if "name" not in data:
            raise ValidationError(str(_l("This field is required.")), "name")
        if "invitation" not in data and "password" not in data:
            raise ValidationError(str(_l("This field is required.")), "password")
        if "invitation" in data and len(data.get("password", "x" * 10)) < 10:
            raise ValidationError(str(_l("Must have 10 to 200 characters.")), "password")


class LoginInValues(TypedDict):
    token: NotRequired[str]
    link: NotRequired[str]
    invitation: NotRequired[str]
    name: NotRequired[str]
    password: NotRequired[str]


class MeOut(Schema):
    id = Integer(allow_none=True, metadata={"description": "null: the owner of the installation."})
    name = String(allow_none=True)
    role = String(metadata={"enum": ROLES})
    via = String(
        metadata={"description": "local (this machine), open (AUTH=off), session or token."}
        | {"enum": ["local", "open", "session", "token"]}
    )


class MeOutValues(TypedDict):
    id: int | None
    name: str | None
    role: str
    via: str


class IdentityOut(Schema):
    """What links a user with an OpenID Connect provider."""

    id = Integer()
    issuer = String()
    subject = String(metadata={"description": "What the issuer knows the user as."})
    current = Boolean(
        metadata={"description": "Whether it is the present provider's (OIDC_ISSUER). Others let nobody in."}
    )
    created_at = DateTime()


class IdentityOutValues(TypedDict):
    id: int
    issuer: str
    subject: str
    current: bool
    created_at: datetime


class UserOut(Schema):
    id = Integer()
    name = String()
    role = String(metadata={"enum": ROLES})
    active = Boolean()
    has_password = Boolean()
    created_at = DateTime()
    seen_at = DateTime(allow_none=True)
    identities = List(Nested(IdentityOut))


class UserOutValues(TypedDict):
    id: int
    name: str
    role: str
    active: bool
    has_password: bool
    created_at: datetime
    seen_at: datetime | None
    identities: list[IdentityOutValues]


class UsersOut(Schema):
    users = List(Nested(UserOut))


class UsersOutValues(TypedDict):
    users: list[UserOutValues]


class UserIn(Schema):
    name = account_name(required=True)
    role = role_field(required=True)
    password = password_field()


class UserInValues(TypedDict):
    name: str
    role: str
    password: NotRequired[str]


class UserPatch(Schema):
    name = account_name()
    role = role_field()
    active = StrictBoolean(metadata={"description": "false: can't log in, and no token works."})
    password = password_field()


class UserPatchValues(TypedDict):
    name: NotRequired[str]
    role: NotRequired[str]
    active: NotRequired[bool]
    password: NotRequired[str]


class UserDeleted(Message):
    user_id = Integer()


class UserDeletedValues(MessageValues):
    user_id: int


class IdentityRemoved(Message):
    user_id = Integer()
    identity_id = Integer()


class IdentityRemovedValues(MessageValues):
    user_id: int
    identity_id: int


class InvitationIn(Schema):
    role = role_field(required=True)


class InvitationInValues(TypedDict):
    role: str


class InvitationOut(Schema):
    invitation_id = Integer()
    path = String(metadata={"description": "Put it behind the server's address. It is shown once, and works once."})
    role = String(metadata={"enum": ROLES})
    expires_at = DateTime()


class InvitationOutValues(TypedDict):
    invitation_id: int
    path: str
    role: str
    expires_at: datetime


class OpenInvitation(Schema):
    invitation_id = Integer()
    role = String(metadata={"enum": ROLES})
    created_at = DateTime()
    expires_at = DateTime()


class OpenInvitationValues(TypedDict):
    invitation_id: int
    role: str
    created_at: datetime
    expires_at: datetime


class InvitationsOut(Schema):
    invitations = List(Nested(OpenInvitation))


class InvitationsOutValues(TypedDict):
    invitations: list[OpenInvitationValues]


class InvitationRevoked(Message):
    invitation_id = Integer()


class InvitationRevokedValues(MessageValues):
    invitation_id: int


class PasswordIn(Schema):
    current = String(
        validate=Length(1, 200), metadata={"description": "The present one; left out where there is none yet."}
    )
    password = password_field(required=True)


class PasswordInValues(TypedDict):
    current: NotRequired[str]
    password: str


class ProviderLoginIn(Schema):
    next = String(
        load_default="/",
        validate=Length(1, 2000),
        metadata={"description": "Path of this server to go to then; of another one it is the dashboard."},
    )


class ProviderLoginInValues(TypedDict):
    next: str


class LinkIn(Schema):
    current = String(
        validate=Length(1, 200), metadata={"description": "Your password; left out where your account has none."}
    )


class LinkInValues(TypedDict):
    current: NotRequired[str]


class ProviderAddress(Schema):
    url = String(metadata={"description": "The provider's page."})


class ProviderAddressValues(TypedDict):
    url: str


class TokenIn(Schema):
    name = account_name(required=True)
    role = role_field(required=True)
    expires_at = moment(allow_none=True)


class TokenInValues(TypedDict):
    name: str
    role: str
    expires_at: NotRequired[datetime | None]


class TokenOut(Schema):
    id = Integer()
    name = String()
    role = String(metadata={"enum": ROLES})
    start = String(metadata={"description": "The first characters of the secret."})
    created_at = DateTime()
    expires_at = DateTime(allow_none=True)
    used_at = DateTime(allow_none=True)


class TokenOutValues(TypedDict):
    id: int
    name: str
    role: str
    start: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class TokensOut(Schema):
    tokens = List(Nested(TokenOut))


class TokensOutValues(TypedDict):
    tokens: list[TokenOutValues]


class TokenCreated(TokenOut):
    token = String(metadata={"description": "The secret. It is shown this once."})


class TokenCreatedValues(TokenOutValues):
    token: str


class TokenDeleted(Message):
    token_id = Integer()


class TokenDeletedValues(MessageValues):
    token_id: int
