"""Limits of one decoding: CPU time, memory, and waiting time."""

import resource
from dataclasses import dataclass

SECONDS = 10.0  # CPU time for an image of up to ORDINARY pixels; proportional for larger ones
ORDINARY = 16_000_000
BASE_MEMORY = 512 * 2**20
BYTES_A_PIXEL = 32  # a 16-bit image of three channels with its copies during conversion to 8 bits


@dataclass(frozen=True)
class DecodeLimits:
    """Limits of one decoding: `seconds` of CPU time for an image of up to ORDINARY pixels, `memory` in bytes in
    addition to the process's own, `wall` in seconds if a request waits; None: as long as a loaded machine needs.
    """

    seconds: float = SECONDS
    memory: int = BASE_MEMORY + BYTES_A_PIXEL * 64_000_000
    wall: float | None = None

    @classmethod
    def of(cls, max_pixels: int, seconds: float, wall: float | None = None) -> "DecodeLimits":
        """Sufficient for every legitimate image of `max_pixels`."""
        return cls(seconds, BASE_MEMORY + BYTES_A_PIXEL * max_pixels, wall)

    def seconds_for(self, pixels: int) -> float:
        """CPU time: an image is decoded up to three times, and encoded, each in proportion to its pixels."""
        return self.seconds * max(1.0, pixels / ORDINARY)


class OverLimit(Exception):
    """The decoding exceeded a limit and was killed. `what`: time (CPU), wall (no answer although CPU time was left),
    memory, killed (from outside) or crash. `position`: of the call in its batch.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.position = 0


def limit_memory(most: int) -> None:
    """Limit the memory of this process, in addition to what it had after its fork."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_size() + most
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def data_size() -> int:
    """Bytes of this process that count for RLIMIT_DATA."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):  # no /proc: a generous value
        return 4 * 2**30
