"""Logging in, the session that follows, and its password and provider."""

from typing import Any, NotRequired, TypedDict

from apiflask.fields import Integer, String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError, validates_schema

from app.schemas.account_fields import ROLES, account_name, password_field
from app.schemas.base import Schema

CREDENTIALS = ("token", "link", "invitation")  # of which one is sent


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
    def check_credentials(self, data: "LoginInValues", **_: Any) -> None:
        if sum(name in data for name in CREDENTIALS) > 1:
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
