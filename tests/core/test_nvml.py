"""Memory of a GPU by NVML, through pynvml; the driver's two functions are replaced."""

from collections.abc import Callable
from typing import Any

import pynvml
import pytest

from app.core.nvml import card, memory_of
from app.services.system.gpus import gpu
from app.worker import figures

MB = 1024**2
TOTAL, RESERVED, ALLOCATED = 143_771 * MB, 620 * MB, 4000 * MB


def driver(*available: str) -> Callable[[str], Callable[[Any, Any], int]]:
    """Looks functions up in a driver that has only the `known` ones."""

    def first(_handle: Any, memory: Any) -> int:
        memory._obj.total, memory._obj.used = TOTAL, RESERVED + ALLOCATED
        return pynvml.NVML_SUCCESS

    def second(_handle: Any, memory: Any) -> int:
        assert memory._obj.version == pynvml.nvmlMemory_v2
        memory._obj.total, memory._obj.reserved, memory._obj.used = TOTAL, RESERVED, ALLOCATED
        return pynvml.NVML_SUCCESS

    functions = {"nvmlDeviceGetMemoryInfo": first, "nvmlDeviceGetMemoryInfo_v2": second}

    def lookup(name: str) -> Callable[[Any, Any], int]:
        if name not in available:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return functions[name]

    return lookup


@pytest.mark.parametrize(
    ("functions", "used"),
    [
        (("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"), ALLOCATED),  # as nvidia-smi reports it
        (("nvmlDeviceGetMemoryInfo",), RESERVED + ALLOCATED),
    ],
)
def test_memory_reserved_by_the_driver_is_not_in_use(
    monkeypatch: pytest.MonkeyPatch, functions: tuple[str, ...], used: int
) -> None:
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer", driver(*functions))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda number: number)
    assert memory_of(pynvml, 0).used == used
    for card_figures in (gpu(pynvml, 0), figures.gpu(0, 0)):
        assert (card_figures["memory_used"], card_figures["memory_total"]) == (used, TOTAL)
        assert card_figures["temperature"] is None


def test_a_gpu_without_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer", driver())
    assert memory_of(pynvml, 0) is None


def test_a_card_has_one_name() -> None:
    uuids = {"0": "GPU-8f6e12", "1": "GPU-8f7a34"}
    assert [card(name, uuids) for name in ("0", "GPU-8f6e12", "GPU-8f6")] == ["GPU-8f6e12"] * 3
    assert card("GPU-8f", uuids) == "GPU-8f", "of two cards"
    assert [card(name, uuids) for name in ("2", "MIG-1", "cpu")] == ["2", "MIG-1", "cpu"]
    assert card("0", {}) == "0", "nobody knows"
