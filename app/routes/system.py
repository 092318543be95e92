"""Health, system figures, for Prometheus, too, and the log."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from app.config import settings
from app.rates import from_this_machine
from app.schemas import LogTailOut, LogTailQuery, SystemOut
from app.schemas.system import LogTailOutValues, LogTailQueryValues
from app.services import services
from app.services.system import logs, refuse_if_off
from app.services.system.read_models import SystemFigures

blueprint = APIBlueprint("system", __name__, tag="System")


@blueprint.get("/health")
@blueprint.doc(hide=True)
def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/ready")
@blueprint.doc(hide=True)
def ready() -> Any:
    """Whether what is sent now can be written; 503 with the reasons when it cannot.

    From other machines the answer may be a second old: each look writes to the disk, and strangers may ask.
    """
    readiness = services().readiness
    reasons = readiness.obstacles() if from_this_machine(request) else readiness.recent_obstacles()
    if reasons:
        return {"status": "unready", "reasons": reasons}, 503, {"Retry-After": "5"}
    return {"status": "ready", "reasons": []}


@blueprint.get("/metrics")
@blueprint.doc(hide=True)
def metrics() -> Response:
    """The figures for Prometheus."""
    from app.services.system.exposition import CONTENT_TYPE, exposition  # not at the start: the import takes 60 ms

    return Response(exposition(services().system.figures()), content_type=CONTENT_TYPE)


@blueprint.get("/api/system")
@blueprint.output(SystemOut)
def figures() -> SystemFigures:
    """CPU, memory, disk, network, GPUs, the queue, the database, devices and processes."""
    return services().system.figures()


@blueprint.get("/api/system/logs")
@blueprint.input(LogTailQuery, location="query", arg_name="query")
@blueprint.output(LogTailOut)
@blueprint.doc(responses={404: "Disabled (METRICS_ENABLED)."})
def log_tail(query: LogTailQueryValues) -> LogTailOutValues:
    """The newest entries of the application's log."""
    refuse_if_off()
    path = settings().LOG_DIR / "app.log"
    return logs.tail(path, query["level"], query["search"], query["limit"])
