"""The host as `nvidia-smi` and the packages report it."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from statistics import mean, median

PACKAGES = ("torch", "torchvision", "ultralytics", "numpy", "opencv-python", "flask", "flask-socketio", "eventlet")
QUERY = ("utilization.gpu", "memory.used", "temperature.gpu", "power.draw")
STEERING = ("CUDA_", "NVIDIA_", "NCCL_", "TORCH", "PYTORCH_", "OMP_", "MKL_", "YOLO_", "LD_LIBRARY_PATH")
MB = 1024**2


@dataclass(frozen=True)
class Reading:
    """The state of one GPU at one moment. `None`: not reported by the card."""

    time: float  # time.monotonic()
    utilization: float | None  # %
    memory: float | None  # bytes
    temperature: float | None  # °C
    power: float | None  # W


def gpu_names() -> list[str]:
    """The GPUs in nvidia-smi's order; empty without its driver."""
    return smi("--query-gpu=name", "--format=csv,noheader").splitlines()


def smi(*arguments: str) -> str:
    """The output of nvidia-smi; empty if it cannot run."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    process = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30)
    return process.stdout if process.returncode == 0 else ""


def read_gpu(index: int) -> Reading:
    """A GPU's present reading by nvidia-smi."""
    text = smi(f"--id={index}", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits")
    values = [number(part) for part in text.strip().split(",")] if text.strip() else [None] * len(QUERY)
    utilization, memory, temperature, power = values
    return Reading(time.monotonic(), utilization, memory and memory * MB, temperature, power)


def compute_capability(index: int) -> float | None:
    """Such as 8.0 of an A100; None if nvidia-smi does not report it."""
    return number(smi(f"--id={index}", "--query-gpu=compute_cap", "--format=csv,noheader"))


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # [N/A]
        return None


class Sampler:
    """Reads a GPU by nvidia-smi every half second; a context manager."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.readings: list[Reading] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.wait(0.5):
            self.readings.append(read_gpu(self.index))

    def closest(self, moment: float, within: float = 1.5) -> Reading | None:
        """The reading closest to a moment."""
        reading = min(self.readings, key=lambda item: abs(item.time - moment), default=None)
        return reading if reading and abs(reading.time - moment) <= within else None

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def typical_difference(pairs: list[tuple[float | None, float | None]]) -> float | None:
    """The median of |a - b| over the pairs with both values."""
    differences = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    return median(differences) if differences else None


def versions() -> dict[str, str | list[str] | None]:
    """Machine, driver and packages, for the report."""
    versions_by_name: dict[str, str | list[str] | None] = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": processor(),
        "gpus": smi("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader").splitlines(),
    }
    for name in PACKAGES:
        try:
            versions_by_name[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions_by_name[name] = None
    return versions_by_name


def difference_of_means(pairs: list[tuple[float | None, float | None]]) -> float | None:
    """Over the pairs with both values: for figures that vary between two readings."""
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return abs(mean(differences)) if differences else None


def packages() -> dict[str, str]:
    """Every installed package, and its version."""
    return dict(sorted((item.name, item.version) for item in importlib.metadata.distributions()))


def variables() -> dict[str, str]:
    """Environment variables that configure torch and CUDA."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(STEERING)}


def processor() -> str:
    """The model name of the CPU, and the number of cores available to this process."""
    name = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {len(os.sched_getaffinity(0))} cores"
