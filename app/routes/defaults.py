"""Sensible values for a new training, and what is unusual about given ones."""

from apiflask import APIBlueprint
from flask_babel import gettext as _

from app.errors import NotFound
from app.schemas import ChecksOut, DefaultsOut, DefaultsQuery, TrainingIn, WeightsOut, WeightsQuery
from app.schemas.defaults import (
    ChecksOutValues,
    DefaultsOutValues,
    DefaultsQueryValues,
    WeightsOutValues,
    WeightsQueryValues,
)
from app.schemas.trainings import TrainingInValues
from app.services import services
from app.services.trainer import advise
from app.services.trainer.architectures import find

blueprint = APIBlueprint("defaults", __name__, tag="Trainings")


@blueprint.get("/api/datasets/<id:dataset_id>/training-defaults")
@blueprint.input(DefaultsQuery, location="query", arg_name="query")
@blueprint.output(DefaultsOut)
@blueprint.doc(
    description="Answers at once: while it is checked whether weights can be had, a preset is `checking`.",
    responses={404: "The dataset doesn't exist."},
)
def training_defaults(dataset_id: int, query: DefaultsQueryValues) -> DefaultsOutValues:
    """Suggest values for a run on this dataset and this machine, each with its reason; its time once known."""
    app_services = services()
    defaults = advise.defaults(
        app_services.datasets.store.get(dataset_id),
        lambda model: app_services.weights.known_start(query["start"], model),
    )
    for preset in defaults["presets"]:
        request: TrainingInValues = {"dataset_id": dataset_id, "params": {}, **preset["values"]}
        preset["seconds"] = app_services.estimates.cached_seconds(request)
    return defaults


@blueprint.get("/api/weights")
@blueprint.input(WeightsQuery, location="query", arg_name="query")
@blueprint.output(WeightsOut)
@blueprint.doc(
    description="Tried once in a while, without downloading anything. `checking`: ask again in a second.",
    responses={404: "The model doesn't exist."},
)
def pretrained_weights(query: WeightsQueryValues) -> WeightsOutValues:
    """Say whether the pretrained weights of a model can be had."""
    if find(query["model"]) is None:
        raise NotFound(_("There is no such model."))
    return services().weights.view(query["model"])


@blueprint.post("/api/trainings/check")
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.output(ChecksOut)
@blueprint.doc(
    description="Nothing is created. Values that POST /api/trainings would refuse are refused here, too.",
    responses={404: "The dataset doesn't exist.", 409: "The dataset is not valid."},
)
def check_training(values: TrainingInValues) -> ChecksOutValues:
    """Check the values of a run for unusual ones."""
    services().datasets.store.get(values["dataset_id"])
    app_services = services()
    return {"warnings": app_services.trainer.creation.check(values, app_services.weights.starts_from)}
