"""Requests and responses about trainings."""

from typing import Any

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length
from marshmallow import pre_load

from app.schemas.base import MAX_ID, DateTime, Message, Page, PageQuery, Schema, between, name_field, one_of

MODEL_VERSIONS = ("n", "s", "m", "l", "x")


class TrainingQuery(PageQuery):
    status = String(validate=one_of(["pending", "running", "completed", "failed", "cancelled"]))
    dataset_id = Integer(validate=between(1, MAX_ID))
    search = String(validate=Length(max=100))
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "status", "-status", "map50", "-map50"]),
    )


class LogQuery(Schema):
    after = Integer(load_default=0, validate=between(0, MAX_ID), metadata={"description": "Byte position."})


class TrainingIn(Schema):
    """The payload of the specification; what is left out takes the server's default.

    `name` defaults to dataset and model, `learning_rate` to ultralytics' own choice of optimizer and rate.
    """

    name = name_field()
    dataset_id = Integer(required=True, strict=True, validate=between(1, MAX_ID))
    model_version = String(validate=one_of(MODEL_VERSIONS))
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


class MetricsOut(Schema):
    epochs = List(Nested(MetricOut))


class NoteOut(Schema):
    code = String()
    message = String()


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
    params = Dict()
    device = String(allow_none=True)
    weights = String(allow_none=True)
    notes = List(Nested(NoteOut))
    error = String(allow_none=True)
    error_kind = String(allow_none=True)
    eta = Float(allow_none=True)
    duration = Float(allow_none=True)
    stop_requested = Boolean()
    downloadable = Boolean()
    best = Nested(MetricOut, allow_none=True, metadata={"description": "The epoch with the best fitness so far."})
    progress = Dict()
    seq = Integer()


class TrainingPage(Page):
    trainings = List(Nested(TrainingOut))


class TrainingCreated(Message):
    training_id = Integer()
    status = String()


class CsvOut(Schema):
    """results.csv as ultralytics wrote it."""

    columns = List(String())
    rows = List(List(Raw(allow_none=True)))


class LogOut(Schema):
    text = String()
    offset = Integer(metadata={"description": "Send it as `after` to get what follows."})
