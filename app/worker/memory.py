"""Measures a training's memory, and the available memory."""

import resource
from pathlib import Path
from typing import Any

import psutil

RESERVE_SHARE = 0.05  # share of the memory reserved for the machine itself


def memory_of(device: Any) -> tuple[int, int]:
    """Peak and total memory: of the GPU, or of this process and the machine."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, machine_memory()


def machine_memory() -> int:
    """The memory of the machine, or of its container."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # there is no such limit
        return total


def device_name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def memory_limit(limit: int) -> int:
    """Limit of this process's private memory in bytes, so that it fails before the machine does.

    Args:
        limit: TRAINING_MEMORY_LIMIT, 0 for none.
    """
    memory = psutil.virtual_memory()
    most = int(psutil.Process().memory_info().data + memory.available - RESERVE_SHARE * memory.total)
    return min(most, limit) if limit else most
