"""The architectures and parameters of a training."""

from typing import Any

from apiflask import APIBlueprint

from app.schemas import ArchitecturesOut, ParametersOut
from app.services.trainer import params
from app.services.trainer.architectures import listed

blueprint = APIBlueprint("parameters", __name__, tag="Models")


@blueprint.get("/api/training-parameters")
@blueprint.output(ParametersOut)
def list_parameters() -> dict[str, Any]:
    """List the parameters that `params` of a run accepts, with their documentation."""
    return {"parameters": params.catalogue()}


@blueprint.get("/api/architectures")
@blueprint.output(ArchitecturesOut)
def list_architectures() -> dict[str, Any]:
    """List the models that a run can use as `architecture`."""
    return {"architectures": listed()}
