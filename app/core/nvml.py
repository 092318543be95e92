"""Reads GPU figures from NVML, in one way for the pages and for the events of a run."""

from typing import Any


def memory_of(nvml: Any, handle: Any) -> Any:
    """Its memory in bytes: `used` without what the driver keeps for itself, as `nvidia-smi` tells it. None: not told.

    Older drivers know the first version alone, which counts the driver's part (hundreds of MB on a large GPU) as used.
    """
    for version in ((nvml.nvmlMemory_v2,), ()):
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, *version)
        except nvml.NVMLError:
            continue
    return None
