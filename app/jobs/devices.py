"""Plans which job gets which device. Pure; the rows behind it: holdings.py.

A GPU has so many slots for work (TRAININGS_PER_GPU), the processor has one: a training uses every core. A measurement
needs a device to itself; so does work that nobody asked for, which leaves it to everyone who wants it. Whatever is only
kept warm leaves a GPU to everyone else, so that work finds all of its memory free.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

CPU = "cpu"

# "auto", "cpu", or positions among the GPUs ("0,1"); a tuple names devices as they are numbered on this machine.
Request = str | tuple[str, ...]


class Use(IntEnum):
    """What a job wants of its devices. A higher one does not wait for a lower one: it displaces it."""

    WARM = 1  # a GPU that nobody else uses, else the processor
    SPARE = 2  # a device to itself, until anybody else wants it
    MEASURE = 3  # a device to itself
    WORK = 4  # a slot of each of its devices, until it ends


@dataclass(frozen=True)
class Holding:
    """A running job and its devices; in a plan also one that waits for them.

    Args:
        subject: what the job is about, as its row has it.
    """

    job_id: int
    use: Use
    devices: tuple[str, ...]
    subject: tuple[str, int] | None = None


@dataclass(frozen=True)
class Placement:
    """Where a job would run, and what it waits for before it can.

    Args:
        devices: () where this machine has not what was requested.
        waits_for: None: it can start now.
        holder: with `device`: who has the device, or gets it first.
        ahead: with `turn`: how many wait for the same device before it.
    """

    devices: tuple[str, ...]
    waits_for: Literal["missing_device", "device", "turn", "other"] | None = None
    holder: Holding | None = None
    ahead: int = 0


@dataclass(frozen=True)
class Pool:
    """The devices of this machine.

    Args:
        gpus: those that may be used, as CUDA numbers them; none: everything runs on the processor.
        slots: how many may work on a GPU at the same time.
    """

    gpus: tuple[str, ...] = ()
    slots: int = 1

    def has(self, request: Request) -> bool:
        """Whether this machine has the devices of a request."""
        if isinstance(request, tuple):
            return bool(request) and set(request) <= {CPU, *self.gpus}
        return request in {"auto", CPU} or all(int(number) < len(self.gpus) for number in request.split(","))

    def resolve(self, request: Request, use: Use, holdings: Iterable[Holding]) -> tuple[str, ...]:
        """The devices of a request, () when one is missing. `auto` is the GPU with the fewest jobs on it or waiting for
        it, the first of several; whom it would displace counts last. The processor where there is no GPU."""
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
        """Whom a job would have to wait for on these devices; None: it can start, and displaces who must go."""
        users = users_by_device(holdings)
        for device in devices:
            rivals = [user for user in users.get(device, ()) if user.use >= use]
            if len(rivals) >= self.capacity(use, device):
                return rivals[0]
        return None

    def capacity(self, use: Use, device: str) -> float:
        """How many of this use, or of a higher one, fit on a device."""
        if use == Use.WARM:  # the processor has memory of its own for it: nobody is kept from it there
            return float("inf") if device == CPU else 1
        return self.slots if use == Use.WORK and device != CPU else 1


class Plan:
    """Assigns devices to jobs in the order of their queue. Who waits for a device keeps it from those behind.

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
        """The devices of the next job of the queue, or what it waits for.

        Args:
            blocked: it has to wait for something else (`other`), but keeps its turn.
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
    """Who has to leave when a job starts on these devices. What is warm on the processor may stay there."""
    return [
        item
        for item in holdings
        if item.use < use and any(item.use > Use.WARM or device != CPU for device in set(devices) & set(item.devices))
    ]


def users_by_device(holdings: Iterable[Holding]) -> Mapping[str, list[Holding]]:
    """The jobs on each device that has any."""
    users: dict[str, list[Holding]] = {}
    for item in holdings:
        for device in item.devices:
            users.setdefault(device, []).append(item)
    return users


def gpus(visible: str) -> tuple[str, ...]:
    """The GPUs of this machine that `visible` (CUDA_VISIBLE_DEVICES; empty: all) lets us use.

    Counted without a CUDA library: the web process stays light.
    """
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not visible:
        return tuple(str(number) for number in range(present))
    return tuple(part.strip() for part in visible.split(",") if part.strip() not in {"", "-1"}) if present else ()
