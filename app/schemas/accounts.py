"""Users, and their links with an OpenID Connect provider."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Integer, List, Nested, String

from app.schemas.account_fields import ROLES, account_name, password_field, role_field
from app.schemas.base import DateTime, Message, MessageValues, Schema, StrictBoolean


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
