"""Creators of objects, in responses and in list filters."""

from typing import Any

from apiflask.fields import Boolean, Integer, Nested, String
from apiflask.validators import Regexp
from flask_babel import lazy_gettext as _l
from marshmallow import missing

from app.access.creators import name_of
from app.config import settings
from app.schemas.base import Schema, StrictBoolean

PATTERN = "(me|owner|[1-9][0-9]{0,17})"


class PersonOut(Schema):
    id = Integer()
    name = String(allow_none=True)


class CreatedBy(Nested):
    """`created_by` of a row, an account's id, as {id, name}."""

    def __init__(self) -> None:
        about = "Who made it; null: the owner of the installation, or the server itself."
        super().__init__(PersonOut, allow_none=True, metadata={"description": about})

    def _serialize(  # type: ignore[override]  # Nested and its own parent name the first argument differently
        self, nested_obj: Any, attr: Any, obj: Any, **kwargs: Any
    ) -> Any:
        return None if nested_obj is None else {"id": nested_obj, "name": name_of(nested_obj)}


class SharedOut(Boolean):
    """`shared` of a row; left out if everyone sees everything."""

    def __init__(self) -> None:
        about = "With PRIVATE_DATA: whether everybody who has a login sees it."
        super().__init__(metadata={"description": about})

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:
        return super().serialize(attr, obj, accessor, **kwargs) if settings().PRIVATE_DATA else missing


def shared_field() -> StrictBoolean:
    return StrictBoolean(metadata={"description": "Whether everybody who has a login sees it, with PRIVATE_DATA."})


def creator_filter() -> String:
    """Filters a list by creator."""
    return String(
        validate=Regexp(rf"{PATTERN}\Z", error=_l("Must be me, owner or the id of a user.")),
        metadata={
            "pattern": f"^{PATTERN}$",
            "description": "me, owner (of the installation; also what the server made by itself), or a user's id.",
        },
    )
