"""The request to run a training again."""

from typing import TypedDict

from app.schemas.base import Schema, StrictBoolean


class RunAgainIn(Schema):
    """May be left out: the run must then be the same."""

    anyway = StrictBoolean(
        load_default=False,
        metadata={"description": "Also where the dataset, start weights or device are not what they were."},
    )


class RunAgainInValues(TypedDict):
    anyway: bool
