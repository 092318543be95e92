"""The base of the specs of app/worker/programs: one dataclass each, written to spec.json by its service."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, Self, TypeVar


class DataclassInstance(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Record = TypeVar("Record", bound=DataclassInstance)


def of_values(kind: type[Record], values: Mapping[str, object]) -> Record:
    """A dataclass from JSON, which may hold more: what a later version wrote.

    Raises:
        TypeError: a field is missing.
    """
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


@dataclass(frozen=True)
class Spec:
    """A dataclass of JSON values."""

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """From spec.json, which may have more fields: the supervisor's own, and those of a later version.

        Raises:
            TypeError: a field is missing.
        """
        return of_values(cls, values)

    def values(self) -> dict[str, object]:
        """As written to spec.json."""
        return asdict(self)
