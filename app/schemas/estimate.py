"""The answer with what a training would need."""

from apiflask.fields import Boolean, Float, Integer, String

from app.schemas.base import Schema


class EstimateOut(Schema):
    """Seconds and bytes. `measuring`: ask again in a second; `unavailable`: `reason` says why."""

    status = String(metadata={"enum": ["ready", "measuring", "unavailable"]})
    reason = String(metadata={"description": "Why there are no figures, or why they are for a smaller batch."})
    stage = String(metadata={"description": "What is being measured now: importing, dataset, model, batches …"})
    message = String(metadata={"description": "The same in words."})
    fraction = Float(metadata={"description": "How far the measurement is, 0 to 1."})
    elapsed = Float(metadata={"description": "Seconds since it began."})
    basis = String(metadata={"enum": ["measured", "history"], "description": "history: of an earlier, equal training"})
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
    memory = Integer(metadata={"description": "The most that was held: of the GPU, or of the process."})
    memory_total = Integer()
    parameters = Integer()
    checkpoint_bytes = Integer()
    disk = Integer(metadata={"description": "The most that the run holds on the disk."})
    disk_free = Integer()
    disk_enough = Boolean(metadata={"description": "Whether DISK_RESERVE stays free."})
    training_id = Integer(metadata={"description": "The earlier training, where `basis` is history."})
