"""A training's messages by number, and the coach's advice."""

from collections.abc import Iterator
from contextlib import contextmanager

from apiflask import APIBlueprint
from flask import current_app
from flask_babel import gettext as _

from app.errors import Unavailable
from app.schemas import AdvicesOut, EventQuery, EventsOut
from app.schemas.training_events import AdvicesOutValues, EventQueryValues
from app.services import services
from app.services.trainer import read_models

blueprint = APIBlueprint("training_events", __name__, tag="Training events")


@blueprint.get("/api/trainings/<id:training_id>/events")
@blueprint.input(EventQuery, location="query", arg_name="query")
@blueprint.output(EventsOut)
@blueprint.doc(
    description="The messages of the Socket.IO room, in order, for clients that poll. A training_status has the "
    "run's current state.",
    responses={404: "The run doesn't exist.", 503: "Too many clients are waiting: retry as `Retry-After` says."},
)
def list_events(training_id: int, query: EventQueryValues) -> read_models.EventsPage:
    """List the events after a number."""
    following, after, limit, wait = services().trainer.following, query["after"], query["limit"], query["wait"]
    page = following.events(training_id, after, limit)
    if page["events"] or not wait:
        return page
    with one_of_those_who_wait():
        return following.events(training_id, after, limit, wait)


@contextmanager
def one_of_those_who_wait() -> Iterator[None]:
    """Holds one of the slots for long polls.

    Raises:
        Unavailable: all slots are in use.
    """
    slots = current_app.extensions["waiting"].long_polls
    if not slots.acquire():
        raise Unavailable(_("Too many clients are waiting for events. Try again in a few seconds, or without `wait`."))
    try:
        yield
    finally:
        slots.release()


@blueprint.get("/api/trainings/<id:training_id>/advice")
@blueprint.output(AdvicesOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_advice(training_id: int) -> AdvicesOutValues:
    """List the coach's advice."""
    return {"advice": services().trainer.following.advice(training_id)}
