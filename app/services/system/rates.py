"""Rates between two samples: CPU, disk and network. A sample is cached for a second, because two at once would measure
nothing.
"""

import time
from collections.abc import Callable
from typing import Any

import psutil

SAMPLE_S = 1.0


class Rates:
    """The rates of increasing counters, per second.

    Args:
        read: returns the counters by name; None if the system has none.
    """

    def __init__(self, read: Callable[[], dict[str, int] | None]) -> None:
        self._read = read
        self._time, self._last = time.monotonic(), read()
        self._rates: dict[str, float] = {}

    def rates(self) -> dict[str, float]:
        """The rates since the last sample at least a second ago; zeros at first, empty without counters."""
        passed = time.monotonic() - self._time
        if passed >= SAMPLE_S or not self._rates:
            counters = self._read()
            if counters and self._last:
                self._rates = {
                    key: round(max(0, value - self._last.get(key, value)) / max(passed, SAMPLE_S), 1)
                    for key, value in counters.items()
                }
            if passed >= SAMPLE_S:
                self._time, self._last = time.monotonic(), counters
        return dict(self._rates)


def disk_counters() -> dict[str, int] | None:
    """Bytes read from and written to all disks since boot."""
    counters = psutil.disk_io_counters()
    return None if counters is None else {"read": counters.read_bytes, "write": counters.write_bytes}


def network_counters() -> dict[str, int] | None:
    """Bytes received and sent on all interfaces since boot."""
    counters: Any = psutil.net_io_counters()
    return None if counters is None else {"received": counters.bytes_recv, "sent": counters.bytes_sent}


class Processor:
    """Use of all cores in percent, and of each. Not psutil.cpu_percent, which stores the last sample per thread, and
    the caller's thread changes.
    """

    def __init__(self) -> None:
        self._time, self._last = time.monotonic(), psutil.cpu_times(percpu=True)
        self._each = [0.0 for _ in self._last]

    def percent(self) -> tuple[float, list[float]]:
        """The use between the last two samples, at least a second apart."""
        if time.monotonic() - self._time >= SAMPLE_S:
            times = psutil.cpu_times(percpu=True)
            if len(times) == len(self._last):  # cores may be switched off
                self._each = [busy(now, before) for now, before in zip(times, self._last, strict=True)]
            self._time, self._last = time.monotonic(), times
        return round(sum(self._each) / len(self._each), 1), self._each


def busy(now: Any, before: Any) -> float:
    """The share of time, in percent, in which a core neither was idle nor waited for a disk; guest time counts as user
    time.
    """
    passed = {key: max(0.0, value - getattr(before, key)) for key, value in now._asdict().items()}
    total = sum(value for key, value in passed.items() if not key.startswith("guest"))
    idle = passed["idle"] + passed.get("iowait", 0.0)
    return round(100 * (total - idle) / total, 1) if total else 0.0


disk, network, processor = Rates(disk_counters), Rates(network_counters), Processor()
