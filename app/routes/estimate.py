"""What a training would need, before it starts."""

from typing import Any

from apiflask import APIBlueprint

from app.schemas import EstimateOut, TrainingIn
from app.services import services

blueprint = APIBlueprint("estimate", __name__, tag="Trainings")


@blueprint.post("/api/trainings/estimate")
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.output(EstimateOut)
@blueprint.doc(
    description="Runs a few real batches on the device, once for each configuration. The body is a new training's.",
    responses={202: "It is being measured: ask again in a second.", 409: "The dataset is not valid."},
)
def estimate(values: dict[str, Any]) -> Any:
    """Estimate time, memory and disk of a training."""
    answer = services().estimates.estimate(values)
    return answer, 202 if answer["status"] == "measuring" else 200
