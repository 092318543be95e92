"""The workers of DISPATCH=rq for the System page."""

from sqlalchemy import func, select

from app.extensions import db
from app.jobs.workers import Worker, clock
from app.services.system.read_models import WorkerView


def present_workers() -> list[WorkerView]:
    """All registered workers by name, with those lost in the last day."""
    age = func.extract("epoch", clock() - Worker.heartbeat_at)
    rows = db.session.execute(select(Worker, age).order_by(Worker.name)).all()
    return [worker_view(row, float(seconds)) for row, seconds in rows]


def worker_view(row: Worker, seconds: float) -> WorkerView:
    """A worker for the System page. `seconds`: since its last heartbeat."""
    return {
        "name": row.name,
        "host": row.host,
        "devices": row.devices,
        "state": row.state,
        "job_id": row.job_id,
        "heartbeat": round(seconds, 1),
        "started_at": row.started_at,
        "cpu_count": row.about.get("cpu_count"),
        "memory": row.about.get("memory"),
        "gpus": row.about.get("gpus", []),
        "versions": row.about.get("versions", {}),
    }
