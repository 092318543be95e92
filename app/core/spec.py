"""The base of the specs of app/worker/programs: one dataclass each, written to spec.json by its service."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Spec:
    """Fields that JSON can hold."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From spec.json, which may hold more: what the supervisor needs, and what a later version wrote.

        Raises:
            TypeError: a field is missing.
        """
        return cls(**{name: value for name, value in values.items() if name in cls.__dataclass_fields__})

    def values(self) -> dict[str, object]:
        """As spec.json has it."""
        return asdict(self)
