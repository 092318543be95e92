"""The architectures and parameters of a training."""

from apiflask import APIBlueprint

from app.schemas import ArchitecturesOut, ParametersOut
from app.schemas.parameters import ArchitecturesOutValues, ParametersOutValues
from app.services.trainer import params
from app.services.trainer.architectures import listed

blueprint = APIBlueprint("parameters", __name__, tag="Models")


@blueprint.get("/api/training-parameters")
@blueprint.output(ParametersOut)
def list_parameters() -> ParametersOutValues:
    """List the parameters that `params` of a run accepts, with their documentation."""
    return {"parameters": params.catalogue()}


@blueprint.get("/api/architectures")
@blueprint.output(ArchitecturesOut)
def list_architectures() -> ArchitecturesOutValues:
    """List the models that a run can use as `architecture`."""
    return {"architectures": listed()}
