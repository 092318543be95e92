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


class Processor:
    """Use of all cores in percent, and of each."""

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._all, self._each = psutil.cpu_percent(), psutil.cpu_percent(percpu=True)

    def percent(self) -> tuple[float, list[float]]:
        if time.monotonic() - self._time >= SAMPLE_S:
            self._time = time.monotonic()
            self._all, self._each = psutil.cpu_percent(), psutil.cpu_percent(percpu=True)
        return self._all, self._each


disk, network, processor = Rates(disk_counters), Rates(network_counters), Processor()
