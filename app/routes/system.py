"""Health and system figures."""

from typing import Any

from apiflask import APIBlueprint
from flask import current_app
from flask_babel import gettext as _

from app.errors import NotFound
from app.schemas import SystemOut
from app.services import readiness, system

blueprint = APIBlueprint("system", __name__, tag="System")


@blueprint.get("/health")
@blueprint.doc(hide=True)
def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/ready")
@blueprint.doc(hide=True)
def ready() -> Any:
    """Whether what is sent now can be written; 503 with the reasons when it cannot."""
    reasons = readiness.obstacles()
    if reasons:
        return {"status": "unready", "reasons": reasons}, 503, {"Retry-After": "5"}
    return {"status": "ready", "reasons": []}


@blueprint.get("/api/system")
@blueprint.output(SystemOut)
def figures() -> dict[str, Any]:
    """CPU, memory, disk, GPUs and the queue."""
    if not current_app.config["METRICS_ENABLED"]:
        raise NotFound(_("System figures are switched off (METRICS_ENABLED)."))
    return system.figures()
