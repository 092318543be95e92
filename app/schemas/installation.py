"""Whether the database and the data folder belong together."""

from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Integer, List, String

from app.schemas.base import MessageValues, Schema, one_of


class InstallationOut(Schema):
    read_only = Boolean(metadata={"description": "Nothing is changed or started until this is decided."})
    code = String(
        allow_none=True,
        metadata={
            "description": "new_database, older_database, other_database, empty_folder, file_missing or file_replaced."
        },
    )
    title = String(allow_none=True)
    reason = String(allow_none=True)
    without_row = Dict(
        keys=String(validate=one_of(("dataset", "training", "test"))),
        values=Integer(),
        metadata={"description": "Folders that this database does not know, by kind."},
    )
    ways = List(String(), metadata={"description": "What can be done: right_database, adopt, start_anew."})


class InstallationOutValues(TypedDict):
    read_only: bool
    code: str | None
    title: str | None
    reason: str | None
    without_row: dict[str, int]
    ways: list[str]


class DecisionOut(Schema):
    message = String()
    adopted = Dict(keys=String(), values=Integer(), metadata={"description": "Folders that have rows now, by kind."})
    set_aside = Dict(
        keys=String(), values=Integer(), metadata={"description": "Folders that were moved to `orphans`, by kind."}
    )


class Decided(TypedDict):
    """How many folders of each kind were adopted, where that was asked for, and set aside."""

    adopted: NotRequired[dict[str, int]]
    set_aside: dict[str, int]


class DecisionOutValues(MessageValues, Decided):
    """The same with what is said."""
