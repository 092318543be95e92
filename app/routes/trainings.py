"""Trainings: list, create, show, change, delete; the queue."""

from collections.abc import Mapping

from apiflask import APIBlueprint

from app.rates import METRICS, TRAININGS, limited
from app.routes.departures import close_hidden
from app.routes.once import request_key
from app.schemas import (
    CompareOut,
    CompareQuery,
    DeleteQuery,
    FilterChoices,
    KeyHeader,
    MetricsOut,
    MetricsQuery,
    QueueIn,
    QueueOut,
    TrainingCreated,
    TrainingDeleted,
    TrainingIn,
    TrainingOut,
    TrainingPage,
    TrainingPatch,
    TrainingQuery,
)
from app.schemas.training_actions import (
    DeleteQueryValues,
    KeyHeaderValues,
    QueueInValues,
    TrainingDeletedValues,
    TrainingPatchValues,
)
from app.schemas.training_lists import CompareQueryValues, TrainingQueryValues
from app.schemas.trainings import MetricsQueryValues, TrainingCreatedValues, TrainingInValues
from app.services import services
from app.services.trainer import read_models
from app.services.trainer.read_models import TrainingView

blueprint = APIBlueprint("trainings", __name__, tag="Trainings")


@blueprint.get("/api/trainings")
@blueprint.input(TrainingQuery, location="query", arg_name="query")
@blueprint.output(TrainingPage)
def list_trainings(query: TrainingQueryValues) -> read_models.TrainingPageView:
    """List runs, by page."""
    return services().trainer.list_trainings(query)


@blueprint.get("/api/trainings/compare")
@limited(METRICS)
@blueprint.input(CompareQuery, location="query", arg_name="query")
@blueprint.output(CompareOut)
@blueprint.doc(responses={404: "None of these runs exists."})
def compare_trainings(query: CompareQueryValues) -> read_models.Comparison:
    """Compare runs, with their curves."""
    return services().trainer.compare(query["ids"])


@blueprint.get("/api/trainings/filters")
@blueprint.output(FilterChoices)
def list_filters() -> read_models.FilterChoicesView:
    """List the datasets, models and tasks of the runs."""
    return services().trainer.filter_choices()


@blueprint.post("/api/trainings")
@limited(TRAININGS)
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(responses={409: "The dataset is not valid."})
def create_training(values: TrainingInValues, header: KeyHeaderValues) -> TrainingCreatedValues:
    """Queue a run. It starts as soon as its device is free."""
    return services().trainer.creation.create_once(values, request_key(header, "create"))


@blueprint.get("/api/trainings/<id:training_id>")
@blueprint.output(TrainingOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def get_training(training_id: int) -> TrainingView:
    """Get one run."""
    return services().trainer.get_training_status(training_id)


@blueprint.get("/api/trainings/<id:training_id>/metrics")
@limited(METRICS)
@blueprint.input(MetricsQuery, location="query", arg_name="query")
@blueprint.output(MetricsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def get_metrics(training_id: int, query: MetricsQueryValues) -> read_models.MetricsView:
    """Get the metrics of every epoch."""
    return services().trainer.following.metrics(training_id, all_classes=query["classes"] == "all")


@blueprint.patch("/api/trainings/<id:training_id>")
@blueprint.input(TrainingPatch, arg_name="changes")
@blueprint.output(TrainingOut)
@blueprint.doc(responses={404: "The run doesn't exist.", 409: "The run is in the trash."})
def edit_training(training_id: int, changes: TrainingPatchValues) -> Mapping[str, object]:
    """Change name, priority, earliest start, or importance, or share it."""
    edited = services().trainer.actions.edit(training_id, changes)
    if "shared" in changes:
        close_hidden()
    return edited


@blueprint.delete("/api/trainings/<id:training_id>")
@blueprint.input(DeleteQuery, location="query", arg_name="query")
@blueprint.output(TrainingDeleted)
@blueprint.doc(
    description="A run can be restored until the time in the response. `permanent=true` deletes a run that is in "
    "the trash.",
    responses={404: "The run doesn't exist.", 409: "The run is in progress or, with `permanent`, isn't in the trash."},
)
def delete_training(training_id: int, query: DeleteQueryValues) -> TrainingDeletedValues:
    """Move a run to the trash, or delete it permanently."""
    trash = services().trainer.trash
    return trash.delete_for_good(training_id) if query["permanent"] else trash.delete(training_id)


@blueprint.get("/api/trainings/queue")
@blueprint.output(QueueOut)
def get_queue() -> read_models.QueueView:
    """List the queued runs, next one first."""
    return services().trainer.queue.waiting()


@blueprint.put("/api/trainings/queue")
@blueprint.input(QueueIn, arg_name="values")
@blueprint.output(QueueOut)
@blueprint.doc(
    description="The listed runs change places among themselves. A run placed before another of higher priority "
    "gets that priority.",
    responses={409: "One of them is no longer in the queue; `order` has the IDs that are, in their order."},
)
def reorder_queue(values: QueueInValues) -> read_models.QueueView:
    """Reorder the queued runs."""
    return services().trainer.queue.reorder(values["order"])
