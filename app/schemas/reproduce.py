"""The request to run a training again."""

from apiflask.fields import Boolean

from app.schemas.base import Schema


class RunAgainIn(Schema):
    """May be left out: the run must then be the same."""

    anyway = Boolean(
        load_default=False,
        metadata={"description": "Also where the dataset, start weights or device are not what they were."},
    )
