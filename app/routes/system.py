"""Health and system figures."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("system", __name__, tag="System")


@blueprint.get("/health")
@blueprint.doc(hide=True)
def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}
