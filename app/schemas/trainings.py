"""Requests and responses about trainings."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length
from marshmallow import pre_load

from app.core.train import TrainingParams, TrainingStart
from app.schemas.base import MAX_ID, DateTime, Message, MessageValues, Page, Schema, between, moment, name_field, one_of
from app.schemas.creators import CreatedBy, SharedOut
from app.schemas.start import Start

ACTIONS = ("stop", "pause", "resume", "extend", "retry", "clone", "delete", "restore")
MODEL_VERSIONS = ("n", "s", "m", "l", "x")


class LogQuery(Schema):
    after = Integer(load_default=0, validate=between(0, MAX_ID), metadata={"description": "Byte position."})


class LogQueryValues(TypedDict):
    after: int


class TrainingIn(Schema):
    """The payload of the specification; what is left out takes the server's default.

    `name` defaults to dataset and model, `learning_rate` to ultralytics' own choice of optimizer and rate.
    """

    name = name_field()
    dataset_id = Integer(required=True, strict=True, validate=between(1, MAX_ID))
    model_version = String(validate=one_of(MODEL_VERSIONS))
    architecture = String(
        validate=Length(1, 40),
        metadata={"description": "A name of GET /api/architectures; without it, YOLOv8 of `model_version`."},
    )
    start = Start()
    priority = Integer(strict=True, validate=between(-100, 100))
    start_not_before = moment(allow_none=True)
    epochs = Integer(strict=True, validate=between(1, 10_000))
    batch_size = Integer(strict=True, validate=between(1, 4096))
    img_size = Integer(strict=True, validate=between(32, 4096))
    learning_rate = Float(validate=between(1e-7, 1.0))
    params = Dict(keys=String(), values=Raw(allow_none=True), load_default=dict)

    @pre_load
    def refuse_numbers_in_text(self, data: Any, **_: Any) -> Any:
        """JSON has numbers; "0.01" is a mistake that marshmallow's Float would accept."""
        if isinstance(data, dict) and isinstance(data.get("learning_rate"), str | bool):
            return data | {"learning_rate": object()}
        return data


class TrainingInValues(TypedDict):
    name: NotRequired[str]
    dataset_id: int
    model_version: NotRequired[str]
    architecture: NotRequired[str]
    start: NotRequired[TrainingStart]
    priority: NotRequired[int]
    start_not_before: NotRequired[datetime | None]
    epochs: NotRequired[int]
    batch_size: NotRequired[int]
    img_size: NotRequired[int]
    learning_rate: NotRequired[float]
    params: TrainingParams


class MetricOut(Schema):
    """One epoch."""

    epoch = Integer()
    loss = Float(allow_none=True)
    precision = Float(allow_none=True)
    recall = Float(allow_none=True)
    map50 = Float(allow_none=True)
    map95 = Float(allow_none=True)
    val_loss = Float(allow_none=True)
    learning_rate = Float(allow_none=True)
    timestamp = DateTime()
    parts = Dict()
    seconds = Float(allow_none=True)
    fitness = Float(allow_none=True)
    timing = Dict(metadata={"description": "Seconds: load (waiting for images), train, val."})
    classes = List(Dict(), metadata={"description": "Each class in the validation set: class, ap50, ap95, ..."})


class MetricsQuery(Schema):
    classes = String(
        load_default="all",
        validate=one_of(["all", "newest"]),
        metadata={"description": "newest: each class's values for the newest epochs only, within a size limit."},
    )


class MetricsQueryValues(TypedDict):
    classes: str


class MetricsOut(Schema):
    epochs = List(Nested(MetricOut))
    version = String(metadata={"description": "Changes with them; `join_training` takes it as `metrics`."})


class NoteOut(Schema):
    code = String()
    message = String()


class WaitingOut(Schema):
    """What a training waits for. `code`: device (training_id, name), turn (ahead), schedule (until), disk (free,
    needed: bytes), missing_device (device), files."""

    code = String()
    message = String()
    training_id = Integer()
    name = String()
    ahead = Integer()
    until = String()
    free = Integer()
    needed = Integer()
    device = String()


class TrainingOut(Schema):
    id = Integer()
    name = String()
    dataset_id = Integer()
    dataset_name = String()
    model_version = String()
    epochs = Integer()
    batch_size = Integer()
    img_size = Integer()
    learning_rate = Float()
    status = String()
    current_epoch = Integer()
    total_epochs = Integer(allow_none=True)
    start_time = DateTime(allow_none=True)
    end_time = DateTime(allow_none=True)
    model_path = String(allow_none=True)
    config_path = String(allow_none=True)
    log_path = String(allow_none=True)
    created_at = DateTime()
    updated_at = DateTime()
    created_by = CreatedBy()
    shared = SharedOut()
    params = Dict()
    device = String(allow_none=True)
    weights = String(allow_none=True)
    notes = List(Nested(NoteOut))
    error = String(allow_none=True)
    error_kind = String(allow_none=True)
    eta = Float(allow_none=True)
    duration = Float(allow_none=True, metadata={"description": "Seconds from start to end, by the clock on the wall."})
    training_seconds = Float(
        metadata={
            "description": "Seconds of training, without queue, pauses and time when the machine was off or asleep."
        }
    )
    stop_requested = Boolean()
    downloadable = Boolean()
    evaluated = Boolean(metadata={"description": "GET .../evaluation has one; of a stopped run it follows the end."})
    best = Nested(MetricOut, allow_none=True, metadata={"description": "The epoch with the best fitness so far."})
    progress = Dict(
        metadata={"description": "stage, or epoch, batch, batches, loss; fraction: 0 to 1 of the whole run."}
    )
    level = String(
        allow_none=True,
        metadata={
            "description": "Of the best epoch: good, fair, low, or nothing (nothing learned); null: not measured."
        },
    )
    seq = Integer()
    task = String()
    architecture = String(allow_none=True, metadata={"description": "null: YOLOv8 of `model_version`."})
    start = Dict(
        metadata={
            "description": "kind: auto, official, scratch, training (training_id, checkpoint) or uploaded (file, "
            "sha256, classes: weights that were trained elsewhere)."
        }
    )
    cloned_from = Integer(allow_none=True)
    revision = Integer(allow_none=True, metadata={"description": "Number of the dataset version that the run uses."})
    dataset_revision = String(allow_none=True, metadata={"description": "SHA-256 of images, labels, classes, split."})
    thresholds = Dict(
        allow_none=True, metadata={"description": "Chosen for its model: confidence, iou, classes. null: none were."}
    )
    important = Boolean()
    deleted_at = DateTime(allow_none=True, metadata={"description": "In the trash since then."})
    priority = Integer()
    position = Integer(metadata={"description": "Among equal priorities the lowest starts first."})
    start_not_before = DateTime(allow_none=True)
    waiting_for = Nested(WaitingOut, allow_none=True)
    devices = List(String(), allow_none=True)
    pause_requested = Boolean()
    pause_reason = String(allow_none=True, metadata={"description": "asked, disk or terminated"})
    restarts = Integer(metadata={"description": "How often the run resumed automatically since the last new epoch."})
    halvings = Integer(metadata={"description": "How often the batch size was halved because of insufficient memory."})
    batch_now = Integer(allow_none=True, metadata={"description": "The batch size that fits; null: batch_size."})
    extensions = List(Dict(), metadata={"description": "from_epoch, epochs (the new total), schedule."})
    resumable = Boolean(metadata={"description": "Whether there is a checkpoint to resume from."})
    actions = List(String(validate=one_of(ACTIONS)), metadata={"description": "What is allowed now."})


class MetricBrief(MetricOut):
    """One epoch without its classes."""

    class Meta:
        exclude = ("classes",)


class TrainingBrief(TrainingOut):
    """A training beside others."""

    best = Nested(
        MetricBrief,
        allow_none=True,
        metadata={"description": "The epoch with the best fitness so far."},
    )


class TrainingRow(TrainingBrief):
    """A training in a list."""

    spark = List(List(Float()), metadata={"description": "mAP50 as [epoch, value], thinned to about 40 points."})


class TrainingPage(Page):
    trainings = List(Nested(TrainingRow))


class TrainingCreated(Message):
    training_id = Integer()
    status = String()


class TrainingCreatedValues(MessageValues):
    training_id: int
    status: str


class CsvOut(Schema):
    """results.csv as ultralytics wrote it."""

    columns = List(String())
    rows = List(List(Raw(allow_none=True)))


class LogOut(Schema):
    text = String()
    offset = Integer(metadata={"description": "Send it as `after` to get the next lines."})


class LogOutValues(TypedDict):
    text: str
    offset: int
