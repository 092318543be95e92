"""Actions on an existing training. Each takes an Idempotency-Key."""

from collections.abc import Mapping

from apiflask import APIBlueprint
from flask import request

from app.rates import TRAININGS, limited
from app.routes.once import request_key
from app.schemas import Extended, ExtendIn, KeyHeader, TrainingCreated, TrainingIn
from app.schemas.training_actions import ExtendedValues, ExtendInValues, KeyHeaderValues
from app.schemas.trainings import TrainingCreatedValues
from app.services import services

blueprint = APIBlueprint("training_actions", __name__, url_prefix="/api/trainings/<id:training_id>", tag="Trainings")

CHANGES = TrainingIn(partial=True)


def refusals(conflict: str) -> dict[int, str]:
    """The API description of 404 and 409."""
    return {404: "The run doesn't exist.", 409: f"{conflict} `current` is the status."}


@blueprint.post("/stop")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(responses=refusals("The run has already ended."))
def stop(training_id: int, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Stop a run: immediately if queued, within a batch if in progress. Its weights are kept."""
    return services().trainer.actions.stop(training_id, request_key(header, f"stop/{training_id}"))


@blueprint.post("/pause")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(responses=refusals("The run is already paused, or has ended."))
def pause(training_id: int, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Pause a run: immediately if queued, at its last completed epoch if in progress."""
    return services().trainer.actions.pause(training_id, request_key(header, f"pause/{training_id}"))


@blueprint.post("/resume")
@limited(TRAININGS)
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(responses=refusals("The run is queued, in progress or completed, or has no checkpoint."))
def resume(training_id: int, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Resume a run after a pause, a failure or a stop, from its newest checkpoint."""
    return services().trainer.actions.resume(training_id, request_key(header, f"resume/{training_id}"))


@blueprint.post("/retry")
@limited(TRAININGS)
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(responses=refusals("The run neither failed nor was stopped."))
def retry(training_id: int, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Retry a run that failed or was stopped: from the newest checkpoint, otherwise from the beginning."""
    return services().trainer.actions.retry(training_id, request_key(header, f"retry/{training_id}"))


@blueprint.post("/extend")
@limited(TRAININGS)
@blueprint.input(ExtendIn, arg_name="values")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(Extended, status_code=202)
@blueprint.doc(responses=refusals("The run is not completed, or the checkpoint of its last epoch is missing."))
def extend(training_id: int, values: ExtendInValues, header: KeyHeaderValues) -> ExtendedValues:
    """Add epochs. The response says how the learning rate will change."""
    key = request_key(header, f"extend/{training_id}")
    return services().trainer.extension.extend(training_id, values["epochs"], values["schedule"], key)


@blueprint.post("/clone")
@limited(TRAININGS)
@blueprint.input(CHANGES, arg_name="changes")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(
    description="Accepts any field of POST /api/trainings. In `params`, each entry counts by itself; null removes it.",
    responses={404: "The run doesn't exist.", 409: "The run is in the trash, or the dataset isn't valid."},
)
def clone(training_id: int, changes: Mapping[str, object], header: KeyHeaderValues) -> TrainingCreatedValues:
    """Clone a run: queue a new one with the same settings and the given changes."""
    # `changes` were validated; merged in their original form, they are validated again as a complete request
    body = request.get_json(silent=True) or {}
    return services().trainer.cloning.clone(training_id, body, request_key(header, f"clone/{training_id}"))


@blueprint.post("/restore")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated)
@blueprint.doc(responses={404: "The run doesn't exist.", 409: "The run isn't in the trash."})
def restore(training_id: int, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Restore a run from the trash."""
    return services().trainer.trash.restore(training_id, request_key(header, f"restore/{training_id}"))
