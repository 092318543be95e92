"""Figures that are differences between two looks: processor, disk and network. A look is kept for a second, because
two at once would measure nothing."""

import time
from collections.abc import Callable
from typing import Any

import psutil

SAMPLE_S = 1.0


class Rates:
    """What counters that only grow have gained, per second.

    Args:
        read: the counters by name; None where the system has none.
    """

    def __init__(self, read: Callable[[], dict[str, int] | None]) -> None:
        self._read = read
        self._time, self._last = time.monotonic(), read()
        self._rates: dict[str, float] = {}

    def rates(self) -> dict[str, float]:
        """Since the last look at least a second ago; zeros at first, empty where there are no counters."""
        passed = time.monotonic() - self._time
        if passed >= SAMPLE_S or not self._rates:
            seen = self._read()
            if seen and self._last:
                self._rates = {
                    key: round(max(0, value - self._last.get(key, value)) / max(passed, SAMPLE_S), 1)
                    for key, value in seen.items()
                }
            if passed >= SAMPLE_S:
                self._time, self._last = time.monotonic(), seen
        return dict(self._rates)


def disk_counters() -> dict[str, int] | None:
    """Bytes read from and written to all disks since the machine's start."""
    seen = psutil.disk_io_counters()
    return None if seen is None else {"read": seen.read_bytes, "write": seen.write_bytes}


def network_counters() -> dict[str, int] | None:
    """Bytes that came and went on all interfaces since the machine's start."""
    seen: Any = psutil.net_io_counters()
    return None if seen is None else {"received": seen.bytes_recv, "sent": seen.bytes_sent}


def core_seconds() -> list[tuple[float, float]]:
    """Busy and all seconds of each core since the machine's start. A guest's are in its user's already."""
    found = []
    for core in psutil.cpu_times(percpu=True):
        whole = sum(core) - getattr(core, "guest", 0.0) - getattr(core, "guest_nice", 0.0)
        found.append((whole - core.idle - getattr(core, "iowait", 0.0), whole))
    return found


class Processor:
    """Use of all cores in percent, and of each. psutil.cpu_percent() remembers its last look by thread, so that it
    answers 0 to each request's thread or greenlet.

    Args:
        read: busy and all seconds of each core.
    """

    def __init__(self, read: Callable[[], list[tuple[float, float]]] = core_seconds) -> None:
        self._read = read
        self._time, self._last = time.monotonic(), read()
        self._percent: tuple[float, list[float]] = 0.0, [0.0] * len(self._last)

    def percent(self) -> tuple[float, list[float]]:
        """Since the last look at least a second ago; zeros at first."""
        if time.monotonic() - self._time >= SAMPLE_S:
            seen = self._read()
            gained = [(now[0] - old[0], now[1] - old[1]) for now, old in zip(seen, self._last, strict=False)]
            self._percent = (
                share(sum(busy for busy, _ in gained), sum(whole for _, whole in gained)),
                [share(*core) for core in gained],
            )
            self._time, self._last = time.monotonic(), seen
        return self._percent


def share(busy: float, whole: float) -> float:
    """Percent, 0 to 100; 0 where no time has passed."""
    return round(min(100.0, max(0.0, 100 * busy / whole)), 1) if whole > 0 else 0.0


disk, network, processor = Rates(disk_counters), Rates(network_counters), Processor()
