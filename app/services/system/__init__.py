"""Figures of the machine and the queue. Reads only, without waiting."""

import os
import platform
import time
from pathlib import Path

import psutil
from flask_babel import gettext as _
from sqlalchemy import func, select

from app import __version__
from app.config import settings
from app.errors import NotFound
from app.extensions import db, socketio
from app.models import Training, TrainingStatus
from app.services.system import database, rates
from app.services.system.gpus import gpus
from app.services.system.processes import devices, processes
from app.services.system.read_models import Machine, SystemFigures

STARTED = time.time()


def refuse_if_off() -> None:
    """Check that system metrics are enabled.

    Raises:
        NotFound: METRICS_ENABLED is off.
    """
    if not settings().METRICS_ENABLED:
        raise NotFound(_("System metrics are disabled (METRICS_ENABLED)."))


def machine(data: Path) -> Machine:
    """CPU in percent over the last second or more, memory and disk in bytes, GPUs and processes. One call at a time, in
    any thread: it uses nothing of the application and takes some ms (some 10 with many processes).

    Args:
        data: the data folder, for its disk and the processes that work in it.
    """
    memory, disk, process = psutil.virtual_memory(), psutil.disk_usage(str(data)), psutil.Process()
    percent, each = rates.processor.percent()
    return {
        "host": {"name": platform.node(), "system": platform.platform(), "python": platform.python_version()},
        "cpu": {"percent": percent, "each": each, "count": os.cpu_count(), "load": list(os.getloadavg())},
        "memory": {"total": memory.total, "used": memory.total - memory.available, "percent": memory.percent},
        "process": {"rss": process.memory_info().rss, "threads": process.num_threads()},
        "disk": {"total": disk.total, "used": disk.used, "free": disk.free, "percent": disk.percent}
        | rates.disk.rates(),
        "network": rates.network.rates(),
        "gpus": gpus(),
        "processes": processes(data),
    }


def figures(
    machine: Machine, busy: dict[int, tuple[str, ...]], measuring: list[str], queries: database.QueryTimes
) -> SystemFigures:
    """The machine's figures, with the queue, the database, the devices' users, and uptime in s.

    Args:
        machine: as `machine` has it.
        busy: the devices that each running training holds.
        measuring: the devices on which an estimate is being measured.
        queries: the times of the latest database queries.
    """
    return {
        **machine,
        "version": __version__,
        "uptime": round(time.time() - STARTED, 1),
        "network": machine["network"] | {"connections": connections()},
        "queue": queue(),
        "database": database.figures(queries),
        "devices": devices(machine["gpus"], busy, measuring),
    }


def connections() -> int:
    """Connected Socket.IO clients."""
    server = socketio.server
    return len(server.eio.sockets) if server else 0


def queue() -> dict[str, int]:
    """The number of trainings by status, without those in the trash."""
    query = select(Training.status, func.count().label("number")).where(Training.deleted_at.is_(None))
    counted = db.session.execute(query.group_by(Training.status)).all()
    return {status.value: 0 for status in TrainingStatus} | {row.status: row.number for row in counted}
