"""The first check: whether the host has what the others need."""

import importlib.metadata
import json
import platform
import re
import shutil
import sys

from scripts.bench.common import offline_environment
from scripts.gpu.host import gpu_names
from scripts.gpu.kit import Kit
from scripts.gpu.outcome import require
from scripts.local_server import ROOT

DISK = 4 * 1024**3  # bytes that a run may use
NEWER_PYTHON, NEWER_TORCH = (3, 11), (2, 8)
# Packages whose absence is reported by a check of their own: formats of exports, another database.
OPTIONAL = {"onnx", "onnxruntime", "onnxslim", "openvino", "nncf", "psycopg"}
SAME = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
TORCH = """
import json, torch
gpu = torch.cuda.is_available()
name = torch.cuda.get_device_name(0) if gpu else None
if gpu:
    (torch.ones(64, 64, device="cuda:0") @ torch.ones(64, 64, device="cuda:0")).sum().item()
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "gpu": name}))
"""


class Unusable(Exception):
    """Nothing can be checked on this host; the message says why."""


def host(kit: Kit) -> str:
    """Python, torch that computes on the GPU, disk, and the packages of requirements.txt.

    Raises:
        Unusable: no other check can pass.
        Fails: a package is missing; the other checks show whether it matters.
    """
    if sys.version_info < NEWER_PYTHON:
        raise Unusable(f"Python {platform.python_version()}: 3.11 or newer is needed")
    free = shutil.disk_usage(kit.folder).free
    if free < DISK:
        raise Unusable(f"{free / 1024**3:.1f} GB free below {kit.folder}: 4 GB are needed; name another --output")
    sees = torch_sees(kit)
    missing = missing_packages()
    needed = [name for name in missing if name not in OPTIONAL]
    require(not needed, f"{sees}; missing of requirements.txt: {', '.join(needed)}")
    return sees + (f"; without {', '.join(missing)}" if missing else "")


def torch_sees(kit: Kit) -> str:
    """torch's version and, on a GPU, that it computes there; in a process of its own, whose end releases the memory."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError as error:
        raise Unusable(f"{sys.executable} has no torch: python3 -m pip install -r requirements.txt") from error
    if tuple(int(part) for part in version.split(".")[:2]) < NEWER_TORCH:
        raise Unusable(f"torch {version}: 2.8 or newer is needed")
    if not kit.on_gpu:
        return f"Python {platform.python_version()}, torch {version}"
    env = offline_environment(kit.folder) | {"CUDA_VISIBLE_DEVICES": str(kit.index)}
    process = kit.run([sys.executable, "-c", TORCH], 120, "torch", env=env, capture_output=True, text=True)
    if process.returncode != 0:
        last = next(reversed(process.stderr.strip().splitlines()), "")
        raise Unusable(f"torch {version} does not compute on the GPU: {last}")
    about = json.loads(process.stdout.splitlines()[-1])
    if about["gpu"] is None:
        names = ", ".join(gpu_names())
        raise Unusable(f"torch {version} (CUDA {about['cuda']}) sees no GPU, nvidia-smi sees {names}")
    return f"Python {platform.python_version()}, torch {version}, CUDA {about['cuda']}, {about['gpu']}"


def missing_packages() -> list[str]:
    """The packages of requirements.txt that are not installed in this Python."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [match.group() for line in lines if (match := REQUIREMENT.match(line))]
    return [name for name in names if not any(map(installed, (name, *SAME.get(name, ()))))]


def installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
