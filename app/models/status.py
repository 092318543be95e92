"""The statuses and their legal transitions; of a training: services/trainer/transitions.py."""

from enum import StrEnum


class DatasetStatus(StrEnum):
    PENDING = "pending"
    VALIDATING = "validating"
    VALID = "valid"
    INVALID = "invalid"


class RevisionStatus(StrEnum):
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class TrainingStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in {TrainingStatus.COMPLETED, TrainingStatus.FAILED, TrainingStatus.CANCELLED}


# By type first: "pending" of two types are equal as dictionary keys.
TRANSITIONS: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    DatasetStatus: {
        DatasetStatus.PENDING: frozenset({DatasetStatus.VALIDATING, DatasetStatus.INVALID}),
        DatasetStatus.VALIDATING: frozenset({DatasetStatus.VALID, DatasetStatus.INVALID}),
        DatasetStatus.VALID: frozenset({DatasetStatus.VALIDATING}),
        DatasetStatus.INVALID: frozenset({DatasetStatus.VALIDATING}),
    },
    RevisionStatus: {
        RevisionStatus.BUILDING: frozenset({RevisionStatus.READY, RevisionStatus.FAILED}),
        RevisionStatus.READY: frozenset(),
        RevisionStatus.FAILED: frozenset({RevisionStatus.BUILDING}),
    },
}
