"""How threads of OpenMP wait for work; without torch: it is read when that is imported."""

import os
from pathlib import Path

POLICY, COUNT = "OMP_WAIT_POLICY", "OMP_NUM_THREADS"


def rest_when_idle() -> None:
    """Have threads sleep between two pieces of work instead of spinning; one that the administrator set stays.

    For work that shares its cores with a loader of images, which spinning threads would take the time from. To be
    called before torch is imported.
    """
    os.environ.setdefault(POLICY, "PASSIVE")


def wanted_threads() -> str | None:
    """OMP_NUM_THREADS as this process was started with: ultralytics sets it to 1 when it is imported."""
    started_with = dict(item.partition(b"=")[::2] for item in Path("/proc/self/environ").read_bytes().split(b"\0"))
    value = started_with.get(COUNT.encode())
    return value.decode() if value else None


def every_core() -> int:
    """Threads of a computation: as OMP_NUM_THREADS says, else as many as there are cores."""
    return int(wanted_threads() or len(os.sched_getaffinity(0)))


def child_environment() -> dict[str, str]:
    """That of a process which computes with as many threads as this one."""
    others, wanted = {name: value for name, value in os.environ.items() if name != COUNT}, wanted_threads()
    return others if wanted is None else others | {COUNT: wanted}


def use_every_core() -> None:
    """Have models on the CPU do so: ultralytics leaves a core idle, which on two cores is half of them."""
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = every_core()
