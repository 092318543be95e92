"""Reads GPU figures from NVML, in one way for the pages and for the events of a run."""

from collections.abc import Mapping
from typing import Any


def memory_of(nvml: Any, handle: Any) -> Any:
    """Its memory in bytes: `used` without what the driver keeps for itself, as `nvidia-smi` reports it. None: unknown.

    Older drivers know the first version alone, which counts the driver's part (hundreds of MB on a large GPU) as used.
    """
    for version in ((nvml.nvmlMemory_v2,), ()):
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, *version)
        except nvml.NVMLError:
            continue
    return None


def card(device: str, uuids: Mapping[str, str]) -> str:
    """One name for a card, however it is addressed: its UUID, where there is one.

    Args:
        device: its number, its UUID, or the beginning of that, as CUDA_VISIBLE_DEVICES takes them.
        uuids: the UUID of each by its number.
    """
    same = [uuid for uuid in uuids.values() if uuid.startswith(device)] if not device.isdecimal() else []
    return same[0] if len(same) == 1 else uuids.get(device, device)
