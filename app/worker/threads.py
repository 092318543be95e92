"""How threads of OpenMP wait for work; without torch: it is read when that is imported."""

import os
from pathlib import Path

POLICY = "OMP_WAIT_POLICY"


def rest_when_idle() -> None:
    """Have threads sleep between two pieces of work instead of spinning; one that the administrator set stays.

    For work that shares its cores with a loader of images, which spinning threads would take the time from. To be
    called before torch is imported.
    """
    os.environ.setdefault(POLICY, "PASSIVE")


def every_core() -> int:
    """Threads of a computation: as OMP_NUM_THREADS says, else as many as there are cores.

    The environment that the process was started with: ultralytics sets the variable to 1 when it is imported.
    """
    given = dict(item.partition(b"=")[::2] for item in Path("/proc/self/environ").read_bytes().split(b"\0"))
    return int(given.get(b"OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def use_every_core() -> None:
    """Have models on the CPU do so: ultralytics leaves a core idle, which on two cores is half of them."""
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = every_core()
