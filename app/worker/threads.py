"""Configures how OpenMP's threads wait for work; without torch, which reads this when it is imported."""

import os
from pathlib import Path

POLICY, COUNT = "OMP_WAIT_POLICY", "OMP_NUM_THREADS"


def rest_when_idle() -> None:
    """Make idle threads sleep instead of busy-waiting, unless the administrator has set another policy.

    For work that shares its cores with a data loader, from which busy-waiting threads would take CPU time. Call it
    before torch is imported.
    """
    os.environ.setdefault(POLICY, "PASSIVE")


def requested_threads() -> str | None:
    """OMP_NUM_THREADS at the start of this process, since ultralytics sets it to 1 when it is imported."""
    started_with = dict(item.partition(b"=")[::2] for item in Path("/proc/self/environ").read_bytes().split(b"\0"))
    value = started_with.get(COUNT.encode())
    return value.decode() if value else None


def every_core() -> int:
    """Threads per computation: OMP_NUM_THREADS, otherwise the number of cores."""
    return int(requested_threads() or len(os.sched_getaffinity(0)))


def child_environment() -> dict[str, str]:
    """The environment for a process with as many threads as this one."""
    environment, threads = {name: value for name, value in os.environ.items() if name != COUNT}, requested_threads()
    return environment if threads is None else environment | {COUNT: threads}


def use_every_core() -> None:
    """Run models on every core of the CPU: ultralytics leaves one idle, which on two cores is half of them."""
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = every_core()
