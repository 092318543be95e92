"""Follows how fast a run works: paces of pieces of work, and where another speed began. Standard library only."""

import itertools
import math
import statistics
from collections import deque
from collections.abc import Collection, Sequence

LEAST_NEW = 3  # pieces that have another speed before it is believed: one or two may be held up by chance
LEAST_CHANGE = 1.25  # times: below it two speeds may differ by chance
LEAST_SPREAD = 0.05  # of the logarithm of a pace, by chance
CHANGE_ERRORS = 3.0  # standard errors
ALIKE = 3.0  # pieces in a row that other programs hold up alike: so many count as one
NORMAL_MAD, NORMAL_STEP = 1.483, 0.954  # of a normal distribution: its standard deviation, by medians
OUTLIER = 2.0  # times the median: an epoch in which something else held up the machine
STALLED = 10.0  # times the median: the same for a piece of an epoch, which varies more
MANY = 4  # a share of the times, so that more of them are no outliers
LEAST = 1e-6  # seconds a batch: paces are divided by each other


class Speeds:
    """Paces of pieces of work, oldest first, numbered from 0 on.

    Args:
        most: pieces that are remembered.
    """

    def __init__(self, most: int) -> None:
        self.paces: deque[float] = deque(maxlen=most)
        self.count = 0  # of all pieces
        self.changes: deque[int] = deque(maxlen=most)  # the first pieces of other speeds

    def add(self, pace: float) -> None:
        """The next piece, in seconds a batch."""
        self.paces.append(max(pace, LEAST))
        self.count += 1
        first = self.new_speed()
        if first is not None:
            self.changes.append(first)

    def begin_anew(self) -> None:
        """What comes from here on is compared with nothing before: other work."""
        if self.since < self.count:
            self.changes.append(self.count)

    def forget(self) -> None:
        """Discard the speeds so far."""
        self.paces.clear()
        self.changes.clear()

    @property
    def since(self) -> int:
        """The first piece of the present speed that is remembered."""
        return max(self.changes[-1] if self.changes else 0, self.count - len(self.paces))

    def new_speed(self) -> int | None:
        """The first piece of another speed than that of the pieces before; None: there is none."""
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
        """The paces of the pieces from `first` to before `end` that are remembered."""
        offset = self.count - len(self.paces)
        return list(itertools.islice(self.paces, max(0, first - offset), max(0, end - offset)))

    def all(self) -> list[float]:
        """The paces that are remembered."""
        return list(self.paces)

    def present(self) -> list[float]:
        """The paces of the present speed."""
        return self.between(self.since, self.count)

    def at(self, piece: int) -> float | None:
        """The pace of the speed that a piece had; None: it is forgotten."""
        if not self.count - len(self.paces) <= piece < self.count:
            return None
        first = max((change for change in self.changes if change <= piece), default=0)
        end = min((change for change in self.changes if change > piece), default=self.count)
        return typical(self.between(first, end), STALLED)

    def is_one(self, early: int, late: int) -> bool:
        """Whether two pieces, the first of them before the second, had the same speed."""
        return not any(early < change <= late for change in self.changes)


def leading(logs: Sequence[float], usual: float) -> int:
    """How many of the first logarithms are nearer to the usual one than to their own median: the median of three pieces
    is that of another speed as soon as two of them are, and the first would spoil their mean."""
    middle = (usual + statistics.median(logs)) / 2
    return len(list(itertools.takewhile(lambda log: (log > middle) == (usual > middle), logs)))


def spread_of_steps(logs: Sequence[float]) -> float:
    """The standard deviation of logarithms of paces by what differs from one to the next, in which a change of speed is
    only one step."""
    steps = [abs(late - early) for early, late in itertools.pairwise(logs)]
    return max(LEAST_SPREAD, statistics.median(steps) / NORMAL_STEP if steps else 0.0)


def unsteadiness(paces: Sequence[float]) -> float:
    """What the logarithm of a pace differs by from the one before it; one step among them tells nothing of that."""
    steps = [abs(math.log(late / early)) for early, late in itertools.pairwise(paces)]
    return statistics.median_low(steps) if len(steps) > 1 else 0.0


def typical(times: Collection[float], outlier: float = OUTLIER) -> float:
    """The mean of what is not far above the median: sums are made of it, and one long sleep must not count. Where many
    are far above it, that is how the machine is, and they count."""
    most = outlier * statistics.median(times)
    usual = [time for time in times if time <= most]
    return statistics.fmean(times if len(times) - len(usual) > max(1, len(times) // MANY) else usual)
