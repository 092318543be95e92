"""Limits of one decoding: processor time, memory, and waiting time."""

import resource
from dataclasses import dataclass

SECONDS = 10.0  # of processor time for one image of up to ORDINARY pixels; in proportion for a larger one
ORDINARY = 16_000_000
BASE_MEMORY = 512 * 2**20
BYTES_A_PIXEL = 32  # a 16-bit image of three channels with its copies on the way to 8 bits


@dataclass(frozen=True)
class DecodeLimits:
    """What one decoding may take: `seconds` of processor time for an image of up to ORDINARY pixels, `memory` in bytes
    on top of what the process has, `wall` in seconds where somebody waits; None: as long as a loaded machine needs."""

    seconds: float = SECONDS
    memory: int = BASE_MEMORY + BYTES_A_PIXEL * 64_000_000
    wall: float | None = None

    @classmethod
    def of(cls, max_pixels: int, seconds: float, wall: float | None = None) -> "DecodeLimits":
        """Enough for every honest image of `max_pixels`."""
        return cls(seconds, BASE_MEMORY + BYTES_A_PIXEL * max_pixels, wall)

    def seconds_for(self, pixels: int) -> float:
        """Of processor time: an image is decoded up to three times, and encoded, each in proportion to its pixels."""
        return self.seconds * max(1.0, pixels / ORDINARY)


class OverLimit(Exception):
    """The decoding went over a limit and was ended. `what`: time (of the processor), wall (no answer although it had
    not used its time), memory, killed (from outside) or crash."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def limit_memory(most: int) -> None:
    """What this process may have in addition to what it was forked with."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_size() + most
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def data_size() -> int:
    """Bytes of this process that count for RLIMIT_DATA."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):  # no /proc: generously
        return 4 * 2**30
