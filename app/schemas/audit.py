"""The audit log."""

from typing import NotRequired, TypedDict

from apiflask.fields import Dict, Integer, List, Nested, String
from apiflask.validators import Length, Regexp
from flask_babel import lazy_gettext as _l

from app.core.roles import Role
from app.schemas.base import Schema, between, one_of

RESULTS = ("done", "refused", "failed")


class AuditQuery(Schema):
    limit = Integer(load_default=100, validate=between(1, 500))
    before = String(
        validate=Regexp(r"\d{1,20}\Z", error=_l("Must be an entry's ID.")),
        metadata={"pattern": "^[0-9]{1,20}$", "description": "An entry's `id`: only older ones."},
    )
    name = String(validate=Length(1, 60), metadata={"description": "Only what this user did."})
    result = String(validate=one_of(RESULTS), metadata={"enum": RESULTS})


class AuditQueryValues(TypedDict):
    limit: int
    before: NotRequired[str]
    name: NotRequired[str]
    result: NotRequired[str]


class AuditEntry(Schema):
    id = String()
    time = String(metadata={"format": "date-time"})
    account_id = Integer(allow_none=True, metadata={"description": "null: the owner of the installation, or nobody."})
    name = String(allow_none=True)
    role = String(allow_none=True, metadata={"enum": [*map(str, Role), None]})
    via = String(
        allow_none=True,
        metadata={
            "description": "local, open, session or token; server: the log made room; null: nobody was logged in."
        },
    )
    address = String(allow_none=True)
    action = String(metadata={"description": "The operation, such as trainings.create_training."})
    method = String()
    path = String()
    status = Integer()
    result = String(metadata={"enum": RESULTS})
    reason = String(
        allow_none=True,
        metadata={"description": "Why a login by a provider was refused, such as no_account, no_role or nonce."},
    )
    created = Dict(keys=String(), values=Integer(), metadata={"description": "The IDs of what was created."})


class AuditEntryValues(TypedDict, total=False):
    id: str
    time: str
    account_id: int | None
    name: str | None
    role: str | None
    via: str | None
    address: str | None
    action: str
    method: str
    path: str
    status: int
    result: str
    reason: str | None
    created: dict[str, int]


class AuditPage(Schema):
    entries = List(Nested(AuditEntry))
    next = String(allow_none=True, metadata={"description": "To be sent as `before` for older entries."})


class AuditPageValues(TypedDict):
    entries: list[AuditEntryValues]
    next: str | None
