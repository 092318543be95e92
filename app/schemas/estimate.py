"""The answer with what a training would need."""

from typing import TypedDict

from apiflask.fields import Boolean, Float, Integer, String

from app.schemas.base import Schema


class EstimateOut(Schema):
    """Seconds and bytes. `measuring`: ask again in a second; `unavailable`: `reason` says why."""

    status = String(metadata={"enum": ["ready", "measuring", "unavailable"]})
    reason = String(metadata={"description": "Why there is no estimate, or why it is for a smaller batch size."})
    stage = String(metadata={"description": "What is being measured now: importing, dataset, model, batches …"})
    message = String(metadata={"description": "The same in words."})
    fraction = Float(metadata={"description": "How far the measurement is, 0 to 1."})
    elapsed = Float(metadata={"description": "Seconds since it began."})
    basis = String(
        metadata={
            "enum": ["measured", "history"],
            "description": "history: based on a previous run with the same configuration",
        }
    )
    device = String()
    seconds = Float(metadata={"description": "The whole run, if no early stopping ends it before."})
    epoch_seconds = Float(metadata={"description": "A mean epoch, validation and saving included."})
    start_seconds = Float(metadata={"description": "Until the first batch."})
    batch_seconds = Float(metadata={"description": "A batch with mosaic, unless all epochs are without."})
    val_seconds = Float(metadata={"description": "One validation."})
    batches = Integer(metadata={"description": "Of an epoch."})
    measured_batches = Integer()
    fits = Boolean(metadata={"description": "Whether the batch fits into memory."})
    largest_batch = Integer(allow_none=True, metadata={"description": "What fits, where `batch_size` does not."})
    memory = Integer(metadata={"description": "Peak memory of the GPU or of the process."})
    memory_total = Integer()
    parameters = Integer()
    checkpoint_bytes = Integer()
    disk = Integer(metadata={"description": "Peak disk space of the run."})
    disk_free = Integer()
    disk_enough = Boolean(metadata={"description": "Whether DISK_RESERVE stays free."})
    training_id = Integer(metadata={"description": "The previous run, if `basis` is history."})


class RunTimes(TypedDict):
    """Seconds of a run and its parts, and the batches of an epoch."""

    batches: int
    batch_seconds: float
    val_seconds: float
    start_seconds: float
    epoch_seconds: float
    seconds: float


class DiskNeed(TypedDict):
    """Bytes that a run needs at most, and what is free."""

    checkpoint_bytes: int
    disk: int
    disk_free: int
    disk_enough: bool


class EstimateOutValues(TypedDict, total=False):
    """What EstimateOut sends; which keys are there depends on `status` and `basis`."""

    status: str
    reason: str
    stage: str
    message: str
    fraction: float
    elapsed: float
    basis: str
    device: str | None
    seconds: float
    epoch_seconds: float
    start_seconds: float
    batch_seconds: float
    val_seconds: float
    batches: int
    measured_batches: int
    fits: bool
    largest_batch: int | None
    memory: int
    memory_total: int
    parameters: int
    checkpoint_bytes: int
    disk: int
    disk_free: int
    disk_enough: bool
    training_id: int
