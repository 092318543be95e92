"""Actions on a training that is there. Each takes an Idempotency-Key."""

from typing import Any

from apiflask import APIBlueprint
from flask import request

from app.routes.once import asked
from app.schemas import Extended, ExtendIn, KeyHeader, TrainingCreated, TrainingIn
from app.services import services

blueprint = APIBlueprint(
    "training_actions", __name__, url_prefix="/api/trainings/<id:training_id>", tag="Training actions"
)

CHANGES = TrainingIn(partial=True)


def refusals(conflict: str) -> dict[str, Any]:
    """The documentation of 404 and 409."""
    return {"responses": {404: "There is no such training.", 409: f"{conflict} `current` is the status."}}


@blueprint.post("/stop")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(**refusals("It has ended already."))
def stop(training_id: int, header: dict[str, Any]) -> dict[str, Any]:
    """Stop a training: at once when it waits, within a batch when it runs. Its weights stay."""
    return services().trainer.stop(training_id, asked(header, f"stop/{training_id}"))


@blueprint.post("/pause")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(**refusals("It is paused already, or has ended."))
def pause(training_id: int, header: dict[str, Any]) -> dict[str, Any]:
    """Pause a training: at once when it waits, with its last whole epoch when it runs."""
    return services().trainer.pause(training_id, asked(header, f"pause/{training_id}"))


@blueprint.post("/resume")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(**refusals("It waits, runs or is completed; or there is no checkpoint."))
def resume(training_id: int, header: dict[str, Any]) -> dict[str, Any]:
    """Go on after a pause, a failure or a stop, from the newest checkpoint."""
    return services().trainer.resume(training_id, asked(header, f"resume/{training_id}"))


@blueprint.post("/retry")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(**refusals("It neither failed nor was stopped."))
def retry(training_id: int, header: dict[str, Any]) -> dict[str, Any]:
    """Try again what failed or was stopped: from the newest checkpoint, else from the beginning."""
    return services().trainer.retry(training_id, asked(header, f"retry/{training_id}"))


@blueprint.post("/extend")
@blueprint.input(ExtendIn, arg_name="values")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(Extended, status_code=202)
@blueprint.doc(**refusals("It is not completed, or the checkpoint of its last epoch is gone."))
def extend(training_id: int, values: dict[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    """Train more epochs; the answer says what the learning rate will do."""
    key = asked(header, f"extend/{training_id}")
    return services().trainer.extend(training_id, values["epochs"], values["schedule"], key)


@blueprint.post("/clone")
@blueprint.input(CHANGES, arg_name="changes")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(
    description="Takes any field of POST /api/trainings. In `params` each one stands by itself; null removes it.",
    responses={404: "There is no such training.", 409: "The dataset is not valid."},
)
def clone(training_id: int, changes: dict[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    """Queue a new training with the same settings, changed as asked."""
    body = request.get_json(silent=True) or {}  # `changes` were checked; as they were sent, they join a whole request
    return services().trainer.clone(training_id, body, asked(header, f"clone/{training_id}"))


@blueprint.post("/restore")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated)
@blueprint.doc(responses={404: "There is no such training.", 409: "It is not in the trash."})
def restore(training_id: int, header: dict[str, Any]) -> dict[str, Any]:
    """Take a training out of the trash."""
    return services().trainer.restore(training_id, asked(header, f"restore/{training_id}"))
