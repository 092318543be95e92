"""What happened in a training: its messages by number, and the coach's advice."""

from typing import Any

from apiflask import APIBlueprint

from app.schemas import AdvicesOut, EventQuery, EventsOut
from app.services import services

blueprint = APIBlueprint("training_events", __name__, tag="Training events")


@blueprint.get("/api/trainings/<id:training_id>/events")
@blueprint.input(EventQuery, location="query", arg_name="query")
@blueprint.output(EventsOut)
@blueprint.doc(
    description="The messages of the Socket.IO room, in order, for clients that poll. A training_status"
    " holds the training as it is now.",
    responses={404: "There is no such training."},
)
def list_events(training_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """List what happened after a number."""
    return services().trainer.events(training_id, **query)


@blueprint.get("/api/trainings/<id:training_id>/advice")
@blueprint.output(AdvicesOut)
@blueprint.doc(responses={404: "There is no such training."})
def list_advice(training_id: int) -> dict[str, Any]:
    """Show what the coach said."""
    return {"advice": services().trainer.advice(training_id)}
