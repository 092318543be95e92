"""Plans which job gets which device. Pure; the rows are read and written by holdings.py.

A GPU has TRAININGS_PER_GPU slots for work; the CPU has one, since a training uses every core. A measurement needs a
device to itself. So does spare work, which is displaced by any other use. A warm process gives way on a GPU, so that
work gets all of its memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

CPU = "cpu"

# "auto", "cpu", or indices of GPUs ("0,1"); a tuple has device names as this machine numbers them.
Request = str | tuple[str, ...]


class Use(IntEnum):
    """How a job uses its devices. A higher use does not wait for a lower one: it displaces it."""

    WARM = 1  # a GPU without other jobs, else the CPU
    SPARE = 2  # a device to itself, until another job needs it
    MEASURE = 3  # a device to itself
    WORK = 4  # a slot of each of its devices, until it ends


@dataclass(frozen=True)
class Holding:
    """A running job and its devices; in a plan, also a job that waits for them.

    Args:
        subject: of the job, as in its row.
    """

    job_id: int
    use: Use
    devices: tuple[str, ...]
    subject: tuple[str, int] | None = None


@dataclass(frozen=True)
class Placement:
    """Where a job will run, or what it waits for.

    Args:
        devices: () if this machine lacks the requested ones.
        waits_for: None: the job can start now.
        holder: with `device`: the job that has the device, or gets it first.
        ahead: with `turn`: the number of jobs before it that wait for the same device.
    """

    devices: tuple[str, ...]
    waits_for: Literal["missing_device", "device", "turn", "other"] | None = None
    holder: Holding | None = None
    ahead: int = 0


@dataclass(frozen=True)
class Pool:
    """The devices of this machine.

    Args:
        gpus: the available ones, as CUDA numbers them; empty: everything runs on the CPU.
        slots: how many jobs may work on a GPU at the same time.
    """

    gpus: tuple[str, ...] = ()
    slots: int = 1

    def has(self, request: Request) -> bool:
        """Whether this machine has the requested devices."""
        if isinstance(request, tuple):
            return bool(request) and set(request) <= {CPU, *self.gpus}
        return request in {"auto", CPU} or all(int(number) < len(self.gpus) for number in request.split(","))

    def resolve(self, request: Request, use: Use, holdings: Iterable[Holding]) -> tuple[str, ...]:
        """The devices of a request, () when one is missing. `auto` is the GPU with the fewest jobs on it or waiting for
        it, the first of several; jobs that would be displaced count last. Without a GPU: the CPU.
        """
        if isinstance(request, tuple):
            return request if self.has(request) else ()
        users = users_by_device(holdings)
        if request == "auto":
            gpus = [gpu for gpu in self.gpus if use > Use.WARM or gpu not in users]
            crowds = {gpu: [user.use >= use for user in users.get(gpu, ())] for gpu in gpus}
            return (min(gpus, key=lambda gpu: (sum(crowds[gpu]), len(crowds[gpu]))) if gpus else CPU,)
        if request == CPU:
            return (CPU,)
        return tuple(self.gpus[int(number)] for number in request.split(",")) if self.has(request) else ()

    def blocker(self, use: Use, devices: Iterable[str], holdings: Iterable[Holding]) -> Holding | None:
        """The job that blocks these devices; None: a new one can start, perhaps after displacing others."""
        users = users_by_device(holdings)
        for device in devices:
            rivals = [user for user in users.get(device, ()) if user.use >= use]
            if len(rivals) >= self.capacity(use, device):
                return rivals[0]
        return None

    def capacity(self, use: Use, device: str) -> float:
        """How many jobs of this use, or of a higher one, fit on a device."""
        if use == Use.WARM:  # main memory is shared anyway: nothing has to give way on the CPU
            return float("inf") if device == CPU else 1
        return self.slots if use == Use.WORK and device != CPU else 1


class Plan:
    """Assigns devices to jobs in queue order. A job that waits for a device reserves it against those behind it.

    Args:
        holdings: of the running jobs.
    """

    def __init__(self, pool: Pool, holdings: Iterable[Holding]) -> None:
        self.pool, self.holdings = pool, list(holdings)
        self._waiting: list[set[str]] = []

    def assign(
        self,
        job_id: int,
        use: Use,
        request: Request,
        subject: tuple[str, int] | None = None,
        blocked: bool = False,
    ) -> Placement:
        """The devices of the next job in the queue, or what it waits for.

        Args:
            blocked: the job waits for something else (`other`), but keeps its turn.
        """
        devices = self.pool.resolve(request, use, self.holdings)
        if not devices:
            return Placement((), "missing_device")
        placement = self._placement(use, devices, blocked)
        if placement.waits_for:
            self._waiting.append(set(devices))
        self.holdings.append(Holding(job_id, use, devices, subject))
        return placement

    def _placement(self, use: Use, devices: tuple[str, ...], blocked: bool) -> Placement:
        if blocked:
            return Placement(devices, "other")
        holder = self.pool.blocker(use, devices, self.holdings)
        if holder is None:
            return Placement(devices)
        ahead = sum(not waiting.isdisjoint(devices) for waiting in self._waiting)
        return Placement(devices, "turn", ahead=ahead) if ahead else Placement(devices, "device", holder)


def displaced(use: Use, devices: Sequence[str], holdings: Iterable[Holding]) -> list[Holding]:
    """The jobs that must leave when another starts on these devices. Warm ones may stay on the CPU."""
    return [
        item
        for item in holdings
        if item.use < use and any(item.use > Use.WARM or device != CPU for device in set(devices) & set(item.devices))
    ]


def users_by_device(holdings: Iterable[Holding]) -> Mapping[str, list[Holding]]:
    """The jobs on each device in use."""
    users: dict[str, list[Holding]] = {}
    for item in holdings:
        for device in item.devices:
            users.setdefault(device, []).append(item)
    return users


def gpus(visible: str) -> tuple[str, ...]:
    """The GPUs of this machine that `visible` (CUDA_VISIBLE_DEVICES; empty: all) allows.

    Counted without a CUDA library, to keep the web process small.
    """
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not visible:
        return tuple(str(number) for number in range(present))
    return tuple(part.strip() for part in visible.split(",") if part.strip() not in {"", "-1"}) if present else ()
