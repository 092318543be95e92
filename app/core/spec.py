"""The base of the specs of app/worker/programs: one dataclass each, written to spec.json by its service."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Spec:
    """A dataclass of JSON values."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From spec.json, which may have more fields: the supervisor's own, and those of a later version.

        Raises:
            TypeError: a field is missing.
        """
        return cls(**{name: value for name, value in values.items() if name in cls.__dataclass_fields__})

    def values(self) -> dict[str, object]:
        """As written to spec.json."""
        return asdict(self)
