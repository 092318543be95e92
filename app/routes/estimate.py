"""Estimates of a training's time, memory and disk."""

from typing import Any

from apiflask import APIBlueprint

from app.schemas import EstimateOut, TrainingIn
from app.schemas.trainings import TrainingInValues
from app.services import services

blueprint = APIBlueprint("estimate", __name__, tag="Estimates")


@blueprint.post("/api/trainings/estimate")
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.output(EstimateOut)
@blueprint.doc(
    description="Runs a few real batches on the device, once per configuration. The body is that of a new run.",
    responses={202: "The measurement is in progress: request again in a second.", 409: "The dataset is not valid."},
)
def estimate(values: TrainingInValues) -> Any:
    """Estimate time, memory and disk space of a run."""
    answer = services().estimates.estimate(values)
    return answer, 202 if answer["status"] == "measuring" else 200
