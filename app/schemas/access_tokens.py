"""Access tokens."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Integer, List, Nested, String

from app.schemas.account_fields import ROLES, account_name, role_field
from app.schemas.base import DateTime, Message, MessageValues, Schema, moment


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
