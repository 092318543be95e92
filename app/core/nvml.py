"""Reads GPU figures from NVML, the same way for the pages and for the events of a run."""

from collections.abc import Mapping
from typing import Any


def memory_of(nvml: Any, handle: Any) -> Any:
    """The GPU's memory in bytes: `used` without the driver's reserve, as `nvidia-smi` reports it. None: unknown.

    Older drivers support only the first version, which counts the reserve (hundreds of MB on a large GPU) as used.
    """
    for version in ((nvml.nvmlMemory_v2,), ()):
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, *version)
        except nvml.NVMLError:
            continue
    return None


def card(device: str, uuids: Mapping[str, str]) -> str:
    """One name for a GPU, however it is addressed: its UUID, if known.

    Args:
        device: its number, its UUID, or a prefix of that, as in CUDA_VISIBLE_DEVICES.
        uuids: by number.
    """
    same = [uuid for uuid in uuids.values() if uuid.startswith(device)] if not device.isdecimal() else []
    return same[0] if len(same) == 1 else uuids.get(device, device)
