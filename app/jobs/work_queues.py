"""Names the queues of the workers (DISPATCH=rq): by what a job needs, then by its priority. Pure.

`gpu` has the jobs for one GPU, `gpu2` those for two of one host and so on, `cpu` those that use a processor for long,
and `any` those that every worker can do. Each has a queue for more, and one for less, than the usual priority.
"""

from collections.abc import Collection

from app.jobs.devices import CPU, Request, Use

ANY = "any"


def gpu_queue(number: int) -> str:
    """Of the jobs for so many GPUs."""
    return "gpu" if number == 1 else f"gpu{number}"


def requirement(use: Use | None, request: Request, gpus: Collection[int], cpu: bool) -> str:
    """What a job needs: its queue, whatever its priority.

    Args:
        request: which devices it asks for; on several hosts, GPUs are counted and not told apart.
        gpus: how many GPUs each worker has that has some. cpu: whether there is a worker without.
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
    """For how many GPUs the jobs of a requirement are; 0: for none."""
    return int(name.removeprefix("gpu") or 1) if name.startswith("gpu") else 0


def served(gpus: int, turn: int = 0) -> list[str]:
    """The queues of a worker with so many GPUs, the first one first: of each priority those for its GPUs, then those
    that a worker without could do.

    Args:
        turn: for how many GPUs its last job was. It goes on with the next smaller number, and behind 1 with all of
            them, so that a queue that is never empty keeps no other one waiting.
    """
    last = turn or gpus + 1
    numbers = sorted(range(1, gpus + 1), key=lambda number: (number >= last, -number))
    names = [*map(gpu_queue, numbers), CPU, ANY]
    return [with_priority(name, priority) for priority in (1, 0, -1) for name in names]


def can_be_served(name: str, gpus: Collection[int], cpu: bool) -> bool:
    """Whether one of the workers that are there does the jobs of a requirement."""
    if name in {CPU, ANY}:
        return cpu or bool(gpus)
    return any(gpu_number(name) <= number for number in gpus)
