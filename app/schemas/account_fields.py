"""Fields of accounts that several schemas share."""

from typing import Any

from apiflask.fields import String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l

from app.core.roles import Role
from app.schemas.base import NAME as NAME_PATTERN
from app.schemas.base import name_field, one_of

ROLES = [str(role) for role in Role]


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
