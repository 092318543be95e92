"""Sensible values for a new training, and what is unusual about given ones."""

from typing import Any

from apiflask import APIBlueprint

from app.schemas import ChecksOut, DefaultsOut, TrainingIn
from app.services import services
from app.services.trainer import advise

blueprint = APIBlueprint("defaults", __name__, tag="Trainings")


@blueprint.get("/api/datasets/<id:dataset_id>/training-defaults")
@blueprint.output(DefaultsOut)
@blueprint.doc(responses={404: "The dataset doesn't exist."})
def training_defaults(dataset_id: int) -> dict[str, Any]:
    """Suggest values for a run on this dataset and this machine, each with its reason."""
    return advise.defaults(services().datasets.get(dataset_id))


@blueprint.post("/api/trainings/check")
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.output(ChecksOut)
@blueprint.doc(
    description="Nothing is created. Values that POST /api/trainings would refuse are refused here, too.",
    responses={404: "The dataset doesn't exist.", 409: "The dataset is not valid."},
)
def check_training(values: dict[str, Any]) -> dict[str, Any]:
    """Check the values of a run for unusual ones."""
    services().datasets.get(values["dataset_id"])
    return {"warnings": services().trainer.check(values)}
