"""Tracks the speed of a run: the paces of pieces of work, and where the speed changed. Standard library only."""

import itertools
import math
import statistics
from collections import deque
from collections.abc import Collection, Sequence

LEAST_NEW = 3  # pieces required to detect a new speed: one or two may be delayed by chance
LEAST_CHANGE = 1.25  # ratio below which two speeds may differ by chance
LEAST_SPREAD = 0.05  # standard deviation of a pace's logarithm by chance
CHANGE_ERRORS = 3.0  # standard errors
ALIKE = 3.0  # consecutive pieces delayed by the same cause, which count as one
NORMAL_MAD, NORMAL_STEP = 1.483, 0.954  # of a normal distribution: factors from medians to its standard deviation
OUTLIER = 2.0  # times the median: an epoch that was delayed by other causes
STALLED = 10.0  # times the median: the same for a piece of an epoch, which varies more
MANY = 4  # inverse of the share of times from which they are not outliers
LEAST = 1e-6  # seconds per batch: avoids division by zero


class Speeds:
    """Paces of pieces of work, oldest first, numbered from 0.

    Args:
        most: stored pieces.
    """

    def __init__(self, most: int) -> None:
        self.paces: deque[float] = deque(maxlen=most)
        self.count = 0  # of all pieces
        self.changes: deque[int] = deque(maxlen=most)  # the first pieces of new speeds

    def add(self, pace: float) -> None:
        """Add the next piece, in seconds per batch."""
        self.paces.append(max(pace, LEAST))
        self.count += 1
        first = self.new_speed()
        if first is not None:
            self.changes.append(first)

    def begin_anew(self) -> None:
        """Start another kind of work, not comparable with the pieces before."""
        if self.since < self.count:
            self.changes.append(self.count)

    def forget(self) -> None:
        """Discard all paces."""
        self.paces.clear()
        self.changes.clear()

    @property
    def since(self) -> int:
        """The first stored piece of the present speed."""
        return max(self.changes[-1] if self.changes else 0, self.count - len(self.paces))

    def new_speed(self) -> int | None:
        """The first piece of a new speed; None: the speed has not changed."""
        logs = [math.log(pace) for pace in self.between(self.since, self.count)]
        steps = spread_of_steps(logs)
        best, first = 1.0, None
        for new in range(LEAST_NEW, len(logs)):
            before, after = logs[:-new], logs[-new:]
            usual = statistics.median(before)
            spread = max(steps, NORMAL_MAD * statistics.median(abs(pace - usual) for pace in before))
            chance = CHANGE_ERRORS * spread * math.sqrt(ALIKE / new + ALIKE / len(before))
            times = abs(statistics.median(after) - usual) / max(math.log(LEAST_CHANGE), chance)
            if times > best:
                best, first = times, self.count - new + leading(after, usual)
        return first

    def between(self, first: int, end: int) -> list[float]:
        """The stored paces of the pieces from `first` to before `end`."""
        offset = self.count - len(self.paces)
        return list(itertools.islice(self.paces, max(0, first - offset), max(0, end - offset)))

    def all(self) -> list[float]:
        """All stored paces."""
        return list(self.paces)

    def present(self) -> list[float]:
        """The paces of the present speed."""
        return self.between(self.since, self.count)

    def at(self, piece: int) -> float | None:
        """The mean pace at the speed of a piece; None: no longer stored."""
        if not self.count - len(self.paces) <= piece < self.count:
            return None
        first = max((change for change in self.changes if change <= piece), default=0)
        end = min((change for change in self.changes if change > piece), default=self.count)
        return typical(self.between(first, end), STALLED)

    def is_one(self, early: int, late: int) -> bool:
        """Whether two pieces, in this order, had the same speed."""
        return not any(early < change <= late for change in self.changes)


def leading(logs: Sequence[float], usual: float) -> int:
    """How many leading logarithms are nearer to the usual one than to their own median: the median of three pieces is
    that of the new speed as soon as two have it, and the first would distort their mean.
    """
    middle = (usual + statistics.median(logs)) / 2
    return len(list(itertools.takewhile(lambda log: (log > middle) == (usual > middle), logs)))


def spread_of_steps(logs: Sequence[float]) -> float:
    """The standard deviation of logarithms of paces, from differences between consecutive ones, in which a change of
    speed is a single step.
    """
    steps = [abs(late - early) for early, late in itertools.pairwise(logs)]
    return max(LEAST_SPREAD, statistics.median(steps) / NORMAL_STEP if steps else 0.0)


def unsteadiness(paces: Sequence[float]) -> float:
    """The spread of consecutive differences of paces' logarithms; a single step does not affect it."""
    steps = [abs(math.log(late / early)) for early, late in itertools.pairwise(paces)]
    return statistics.median_low(steps) if len(steps) > 1 else 0.0


def typical(times: Collection[float], outlier: float = OUTLIER) -> float:
    """The mean without values far above the median: the result is used in sums, and a single suspension must not count.
    If many values are far above it, the machine is that variable, and they count.
    """
    most = outlier * statistics.median(times)
    usual = [time for time in times if time <= most]
    return statistics.fmean(times if len(times) - len(usual) > max(1, len(times) // MANY) else usual)
