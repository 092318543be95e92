"""Column types, and statuses that change only along their legal transitions."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from sqlalchemy import Boolean, DateTime, Float, Text, false
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from app.access.principal import current_account_id
from app.core.clock import CLOCK
from app.errors import IllegalTransition
from app.extensions import Base, db
from app.models.status import TRANSITIONS

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

Real = Annotated[float, mapped_column(Float(53))]


class JSONText(TypeDecorator):
    """JSON in a TEXT column, as the specification's schema has it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


class UTCDateTime(TypeDecorator):
    """An aware UTC datetime; stored without its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


def now() -> datetime:
    """The current time, aware, in UTC; the database's time if several hosts share it."""
    return CLOCK.now()


class Created:
    """A row that a person created."""

    # The account's id; None: the owner of the installation, or the server itself.
    created_by: Mapped[int | None] = mapped_column(default=current_account_id, index=True)


class Shared:
    """A row that its owner may share with everyone who can log in; see app/access/private.py."""

    shared: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class Transitions:
    """A row whose `status` changes only along TRANSITIONS."""

    status: Any

    def become(self, status: StrEnum) -> None:
        """Change the status.

        Raises:
            IllegalTransition: the present status does not lead there (answered as 409).
        """
        current = type(status)(self.status)
        if status not in TRANSITIONS[type(status)][current]:
            raise IllegalTransition(current, status)
        self.status = status
