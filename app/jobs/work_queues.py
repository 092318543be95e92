"""Names the queues of the workers (DISPATCH=rq), by what a job needs, then by its priority. Pure.

`gpu` has the jobs for one GPU, `gpu2` those for two GPUs of one host and so on, `cpu` those with much CPU time, and
`any` those for every worker. Each has a variant for a higher and one for a lower priority.
"""

from collections.abc import Collection

from app.jobs.devices import CPU, Request, Use

ANY = "any"


def gpu_queue(number: int) -> str:
    """The queue of the jobs for this many GPUs."""
    return "gpu" if number == 1 else f"gpu{number}"


def requirement(use: Use | None, request: Request, gpus: Collection[int], cpu: bool) -> str:
    """The requirement of a job: its queue without the priority.

    Args:
        request: the requested devices; with several hosts, GPUs are counted, not identified.
        gpus: the numbers of GPUs that workers have. cpu: whether there is a worker without GPUs.
    """
    if use is None:
        return ANY
    if request == "auto":
        return gpu_queue(1) if gpus or not cpu else CPU
    devices = request if isinstance(request, tuple) else tuple(request.split(","))
    return CPU if CPU in devices else gpu_queue(len(devices))


def with_priority(name: str, priority: int) -> str:
    """The queue of a requirement for jobs of this priority."""
    return name + ("-high" if priority > 0 else "-low" if priority < 0 else "")


def without_priority(queue: str) -> str:
    return queue.partition("-")[0]


def gpu_number(name: str) -> int:
    """The number of GPUs of a requirement; 0: none."""
    return int(name.removeprefix("gpu") or 1) if name.startswith("gpu") else 0


def served(gpus: int, turn: int = 0) -> list[str]:
    """The queues of a worker with this many GPUs, in order: of each priority those for its GPUs, then those for any
    worker.

    Args:
        turn: the number of GPUs of its last job. The order continues with the next smaller number, and after 1 with the
            largest, so that no busy queue starves another one.
    """
    last = turn or gpus + 1
    numbers = sorted(range(1, gpus + 1), key=lambda number: (number >= last, -number))
    names = [*map(gpu_queue, numbers), CPU, ANY]
    return [with_priority(name, priority) for priority in (1, 0, -1) for name in names]


def can_be_served(name: str, gpus: Collection[int], cpu: bool) -> bool:
    """Whether one of the live workers serves a requirement."""
    if name in {CPU, ANY}:
        return cpu or bool(gpus)
    return any(gpu_number(name) <= number for number in gpus)
