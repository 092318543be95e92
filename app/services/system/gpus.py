"""NVIDIA GPUs, by NVML. Without its driver, there are none."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.core.nvml import memory_of
from app.services.system.read_models import Gpu

T = TypeVar("T")


def gpus() -> list[Gpu]:
    """Every NVIDIA GPU: utilization in percent, memory in bytes, temperature in °C, power in W."""
    return of_each(gpu)


def uuids() -> dict[str, str]:
    """The UUID of each GPU by its number, as in `nvidia-smi -L`."""
    values = of_each(lambda nvml, number: nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(number)))
    return {str(number): str(uuid) for number, uuid in enumerate(values)}


def of_each(ask: Callable[[Any, int], T]) -> list[T]:
    """The result of `ask` for each GPU, from NVML and the GPU's number; [] without a driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no library, no driver, no permission
        return []
    try:
        return [ask(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def gpu(nvml: Any, number: int) -> Gpu:
    """One GPU; None for values that it does not report."""
    handle = nvml.nvmlDeviceGetHandleByIndex(number)

    def ask(function: Any, *arguments: Any) -> Any:
        try:
            return function(handle, *arguments)
        except nvml.NVMLError:  # some cards, and MIG slices, do not report everything
            return None

    memory, rates = memory_of(nvml, handle), ask(nvml.nvmlDeviceGetUtilizationRates)
    power, limit = ask(nvml.nvmlDeviceGetPowerUsage), ask(nvml.nvmlDeviceGetEnforcedPowerLimit)
    return {
        "index": number,
        "name": ask(nvml.nvmlDeviceGetName),
        "utilization": rates and rates.gpu,
        "memory_used": memory and memory.used,
        "memory_total": memory and memory.total,
        "temperature": ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        "power": None if power is None else round(power / 1000, 1),
        "power_limit": None if limit is None else round(limit / 1000, 1),
    }
