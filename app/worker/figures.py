"""Reports the machine's figures during a training, every two seconds, from a thread."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from app.core.nvml import memory_of
from app.core.train import GpuFigures
from app.events import Figures

EVERY_S = 2.0


class Gauge:
    """Reads the machine's figures; rates are since the previous reading.

    Args:
        root: the training's first process; its descendants are included.
        gpus: the GPUs of this training, as CUDA_VISIBLE_DEVICES names them: PCI numbers or UUIDs.
    """

    def __init__(self, root: int, gpus: list[str]) -> None:
        self.root = psutil.Process(root)
        self.handles = gpu_handles(gpus)
        psutil.cpu_percent()  # starts the measurement
        self.before = time.monotonic(), totals()

    def read(self) -> Figures:
        now, sums = time.monotonic(), totals()
        seconds = max(now - self.before[0], 1e-3)
        rates = [round(max(0.0, (new - old) / seconds)) for new, old in zip(sums, self.before[1], strict=True)]
        self.before = now, sums
        memory = psutil.virtual_memory()
        return Figures(
            cpu=psutil.cpu_percent(),
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
            process_memory=self.resident(),
            disk_read=rates[0],
            disk_write=rates[1],
            net_sent=rates[2],
            net_received=rates[3],
            gpus=[gpu(index, handle) for index, handle in self.handles],
        )

    def resident(self) -> int:
        """Resident bytes of the training's processes."""
        size = 0
        for process in [self.root, *self.root.children(recursive=True)]:
            try:
                size += process.memory_info().rss
            except psutil.Error:  # ended meanwhile
                continue
        return size


def totals() -> tuple[int, int, int, int]:
    """Bytes since boot: disk read and written, network sent and received."""
    disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
    return (
        disk.read_bytes if disk else 0,
        disk.write_bytes if disk else 0,
        net.bytes_sent if net else 0,
        net.bytes_recv if net else 0,
    )


def gpu_handles(names: list[str]) -> list[tuple[int, Any]]:
    """(NVML's index, handle) of each; none without a driver. NVML's order is that of CUDA_DEVICE_ORDER=PCI_BUS_ID."""
    if not names:
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else pynvml.nvmlDeviceGetHandleByUUID(name)
            for name in names
        ]
        return [(pynvml.nvmlDeviceGetIndex(handle), handle) for handle in handles]
    except pynvml.NVMLError:
        return []


def gpu(index: int, handle: Any) -> GpuFigures:
    """One GPU; None: not reported. Percent, bytes, °C, watts."""
    import pynvml as nvml

    def ask(function: Any, *arguments: Any) -> Any:
        try:
            return function(handle, *arguments)
        except nvml.NVMLError:  # some cards, and MIG slices, do not report everything
            return None

    memory, rates = memory_of(nvml, handle), ask(nvml.nvmlDeviceGetUtilizationRates)
    power, name = ask(nvml.nvmlDeviceGetPowerUsage), ask(nvml.nvmlDeviceGetName)
    return {
        "index": index,
        "name": name,
        "utilization": rates and rates.gpu,
        "memory_used": memory and memory.used,
        "memory_total": memory and memory.total,
        "temperature": ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        "power": power and round(power / 1000, 1),
    }


def visible(device: str, numbers: list[int]) -> list[str]:
    """NVML's names of the devices that torch calls `numbers`; none for the CPU."""
    if device != "cuda":
        return []
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return [names[number] for number in numbers if number < len(names)] if names else [str(item) for item in numbers]


def watch(gauge: Gauge, publish: Callable[[Figures], None], every: float = EVERY_S) -> threading.Thread:
    """Publish the figures until the process ends; errors here do not affect the training."""

    def loop() -> None:
        while True:
            time.sleep(every)
            try:
                publish(gauge.read())
            except (psutil.Error, OSError, MemoryError):
                continue

    thread = threading.Thread(target=loop, name="figures", daemon=True)
    thread.start()
    return thread
