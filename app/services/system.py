"""Figures of the machine and the queue. Reads only; nothing here waits."""

import os
import time
from typing import Any

import psutil
from flask import current_app
from sqlalchemy import func, select

from app.extensions import db
from app.models import Training, TrainingStatus

STARTED = time.time()

SAMPLE_S = 1.0  # psutil measures since the last call: two calls at once would measure nothing
_cpu = {"time": time.monotonic(), "percent": psutil.cpu_percent()}


def figures() -> dict[str, Any]:
    """CPU in percent over the last second or more, memory and disk in bytes, GPUs, the queue, uptime in s."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(current_app.config["DATA_ROOT"])
    process = psutil.Process()
    return {
        "version": current_app.version,  # type: ignore[attr-defined]
        "uptime": round(time.time() - STARTED, 1),
        "cpu": {"percent": cpu_percent(), "count": os.cpu_count(), "load": list(os.getloadavg())},
        "memory": {"total": memory.total, "used": memory.total - memory.available, "percent": memory.percent},
        "process": {"rss": process.memory_info().rss, "threads": process.num_threads()},
        "disk": {"total": disk.total, "used": disk.used, "free": disk.free, "percent": disk.percent},
        "gpus": gpus(),
        "queue": queue(),
    }


def cpu_percent() -> float:
    """Of all cores, since the last sample; a sample is kept for a second."""
    if time.monotonic() - _cpu["time"] >= SAMPLE_S:
        _cpu.update(time=time.monotonic(), percent=psutil.cpu_percent())
    return _cpu["percent"]


def queue() -> dict[str, int]:
    """How many trainings have each status; those in the trash do not count."""
    seen = select(Training.status, func.count().label("number")).where(Training.deleted_at.is_(None))
    counted = db.session.execute(seen.group_by(Training.status)).all()
    return {status.value: 0 for status in TrainingStatus} | {row.status: row.number for row in counted}


def gpus() -> list[dict[str, Any]]:
    """Every NVIDIA GPU: utilisation in percent, memory in bytes, temperature in °C; none without a driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no library, no driver, no permission
        return []
    try:
        return [gpu(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def gpu(nvml: Any, number: int) -> dict[str, Any]:
    """One GPU; what it does not tell is None."""
    handle = nvml.nvmlDeviceGetHandleByIndex(number)

    def ask(function: Any, *arguments: Any) -> Any:
        try:
            return function(handle, *arguments)
        except nvml.NVMLError:  # some cards, and MIG slices, do not say everything
            return None

    memory, rates = ask(nvml.nvmlDeviceGetMemoryInfo), ask(nvml.nvmlDeviceGetUtilizationRates)
    return {
        "index": number,
        "name": ask(nvml.nvmlDeviceGetName),
        "utilization": rates and rates.gpu,
        "memory_used": memory and memory.used,
        "memory_total": memory and memory.total,
        "temperature": ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
    }
