"""Estimates the remaining time of a run, from the pace of its batches and its epochs. Standard library only."""

import itertools
import math
import statistics
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

RECENT = 9  # epochs that count: enough that one slow one does not matter
# Measured on a quiet machine: loading, stripping and drawing take so long even for tiny runs, besides the validation;
# on any machine about DRAWINGS times as long as drawing the labels, which is the same kind of work at the start. Both
# are processor time, and take longer where others use the processor, too.
FINISH_S, DRAWINGS = 2.5, 3.6
PROBE_S, PROBE_SHARE = 0.05, 0.005  # how long that is measured after an epoch, and the most as a share of the epoch
OUTLIER = 2.0  # times the median: an epoch in which something else held up the machine
MANY = 4  # a share of the times, so that more of them are no outliers
STALLED = 10.0  # times the median: the same for a piece of an epoch, which varies more
SURE_OF_CHANGE = 3.0  # standard errors of the recent pace
SURE = 3  # batches that an estimate needs
PIECES = 10  # of an epoch
LEAST = 1e-6  # seconds a batch: paces are divided by each other
CHANGED = 1.25  # a pace that is so many times another is another pace; below it the two may differ by chance
ANOTHER = 1.5  # the same for a single piece of an epoch, which varies more
# A validation image costs a forward pass, a training image that and the pass back, which is twice as much; what the
# metrics, the checkpoint and its copy take comes on top.
VALIDATION_SHARE = 0.5


@dataclass(frozen=True)
class ClosedEpoch:
    """An epoch that is done. `closed`: without mosaic; `pace`: seconds a batch; `rest`: validation and saving, in s;
    `validation`: the first part of it; `end`: seconds a batch just before the rest."""

    closed: bool
    pace: float
    rest: float
    validation: float
    end: float


class Contention:
    """How many times as long the work of one core takes as it would alone, because others use the processor, too."""

    def __init__(self) -> None:
        self.probes: deque[tuple[float, float]] = deque(maxlen=RECENT)  # seconds, and those on the processor

    def measure(self, epoch: float) -> float:
        """Look after an epoch of so many seconds, while nothing of this run works. Short ones are measured together."""
        most = min(PROBE_S, PROBE_SHARE * epoch)
        start, used = time.monotonic(), time.thread_time()
        while (past := time.monotonic() - start) < most:
            pass
        return self.add(past, time.thread_time() - used)

    def add(self, past: float, used: float) -> float:
        """The newest probes that are long enough together, as a ratio of at least 1."""
        self.probes.appendleft((past, used))
        seconds = on_processor = 0.0
        for probe in self.probes:
            seconds, on_processor = seconds + probe[0], on_processor + probe[1]
            if seconds >= PROBE_S:
                break
        return max(1.0, seconds / max(on_processor, LEAST))


class TrainingPace:
    """The times of a run's batches and epochs.

    Args:
        epochs: of the whole run.
        batches: of one epoch.
        closes: the first epoch (from 1) that is trained without mosaic; such epochs are faster.
        validation: images of the validation set over those of the training set.
        earlier: seconds of epochs that an earlier process of this run did; they count until there is a newer one.
        burst: so many batches may come at once, because helpers load them in advance.
        drawing: processor seconds that drawing the labels took at the start; None: not drawn.
    """

    def __init__(
        self,
        epochs: int,
        batches: int,
        closes: int,
        validation: float,
        earlier: Sequence[float] = (),
        burst: int = 1,
        drawing: float | None = None,
    ) -> None:
        self.epochs, self.batches, self.closes, self.validation = epochs, batches, closes, validation
        self.earlier = list(earlier)[-RECENT:]
        self.done: deque[ClosedEpoch] = deque(maxlen=RECENT)
        self.warm = False  # the first epoch also fills caches: it counts only until there is another
        self.piece = max(1, math.ceil(batches / PIECES), burst)
        self.pieces: deque[tuple[bool, float]] = deque(maxlen=max(1, batches // self.piece))  # an epoch's: closed, pace
        self.first: float | None = None  # seconds of the first batch of all, until its epoch is over
        self.started = False
        self.sure = max(SURE, burst)
        self.closed = False  # of the present epoch
        self.seen, self.seconds = 0, 0.0  # batches of the present piece, and what they took
        self.finish = FINISH_S if drawing is None else drawing * DRAWINGS
        self.contention = 1.0  # how many times as long the work of one core takes now, because of others
        self.rests: float | None = None  # what the rest took in the first epoch, in batches

    # What happens.

    def batch_done(self, epoch: int, seconds: float) -> None:
        """A batch of an epoch (from 1) took so long, loading included. The first one of a process tells nothing."""
        closed = epoch >= self.closes
        if closed != self.closed or not self.started:
            self.closed, self.seen, self.seconds = closed, 0, 0.0
        if not self.started:
            self.started, self.first = True, seconds
            return
        self.seen += 1
        self.seconds += seconds
        if self.seen == self.piece:
            self.pieces.append((closed, self.seconds / self.seen))
            self.seen, self.seconds = 0, 0.0

    def epoch_done(
        self, epoch: int, train: float, rest: float, validation: float | None = None, contention: float = 1.0
    ) -> None:
        """Epoch (from 1) took `train` seconds of batches and `rest` seconds of validation and saving.

        Args:
            validation: seconds of the validation alone; None: all of the rest.
            contention: what `Contention` says after it.
        """
        closed, pace = epoch >= self.closes, self.mean_batch(train)
        end = self.end_of_epoch(pace)
        self.contention = contention
        if not self.warm and self.done:
            self.warm = True
            self.done.clear()
        elif not self.done:  # the epoch that filled the caches
            self.pieces.clear()
            self.seen, self.seconds = 0, 0.0
            self.rests = rest / end
        self.done.append(ClosedEpoch(closed, pace, rest, rest if validation is None else validation, end))

    def end_of_epoch(self, pace: float) -> float:
        """The pace of the last batches of the epoch, whose own is `pace`: the same where they do not differ much."""
        paces = [max(item, LEAST) for _, item in self.pieces] or [pace]
        chance = max(math.log(ANOTHER), SURE_OF_CHANGE * unsteadiness(paces))
        return paces[-1] if abs(math.log(paces[-1] / pace)) > chance else pace

    def mean_batch(self, train: float) -> float:
        """Seconds a batch of an epoch; without the first one of the process, which starts helpers and fills caches."""
        first, self.first = self.first, None
        if first is None or self.batches < 2:
            return max(train / self.batches, LEAST)
        return max((train - first) / (self.batches - 1), LEAST)

    # What follows.

    def left(self, done: int) -> float | None:
        """Seconds until the end after so many whole epochs; None while nothing is known."""
        return self.left_within(done, 0)

    def left_within(self, done: int, batch: int, resting: float = 0.0) -> float | None:
        """Seconds until the end after so many whole epochs and batches of the next one.

        Args:
            resting: seconds of the rest behind the last batch of that one that are over.
        """
        by_kind = self.paces()
        if by_kind is None:
            return None
        closed = max(0, self.epochs - max(done, self.closes - 1))
        batches = {True: closed * self.batches, False: (self.epochs - done - closed) * self.batches}
        batches[done + 1 >= self.closes] -= batch
        training = sum(max(0, count) * by_kind[kind] for kind, count in batches.items())
        # The best weights are validated once more.
        rest = self.rest(by_kind, "rest")
        rests = (self.epochs - done) * rest - min(rest, resting) + self.rest(by_kind, "validation")
        return training + rests + self.finish * self.contention

    def left_at_end(self, validating: float) -> float | None:
        """Seconds until the end, `validating` seconds behind the last epoch's end."""
        whole = self.left(self.epochs)
        return None if whole is None else max(0.0, whole - validating)

    def paces(self) -> dict[bool, float] | None:
        """Seconds a batch without mosaic (True) and with it; None while nothing is known."""
        now, other = self.pace(self.closed), self.pace(not self.closed)
        if now is None and other is None:
            return None
        return {self.closed: now or other or 0.0, not self.closed: other or now or 0.0}

    def pace(self, closed: bool) -> float | None:
        """Seconds a batch with or without mosaic now: of the last batches, weighted against the epochs before.

        The more the two differ, the less it is by chance, and the more the last batches count.
        """
        recent, before = self.recent(closed), self.before(closed)
        if recent is None or before is None:
            return recent if before is None else before
        epochs = unsteadiness([item.pace for item in self.done if item.closed == closed])
        chance = max(math.log(CHANGED), SURE_OF_CHANGE * standard_error(self.pieces_of(closed)), epochs)
        weight = min(1.0, abs(math.log(recent / before)) / chance) if self.warm else 1.0
        return before * (recent / before) ** weight

    def pieces_of(self, closed: bool) -> list[float]:
        return [pace for kind, pace in self.pieces if kind == closed]

    def recent(self, closed: bool) -> float | None:
        """Of the last batches, an epoch's at most; None while they are too few."""
        paces = self.pieces_of(closed)
        if not paces and closed == self.closed and self.seen >= min(self.sure, self.batches - 1) > 0:
            paces = [self.seconds / self.seen]
        return max(typical(paces, STALLED), LEAST) if paces else None

    def before(self, closed: bool) -> float | None:
        """Of the epochs before."""
        paces = [item.pace for item in self.done if item.closed == closed]
        if not paces and not self.done and self.earlier:
            paces = [typical(self.earlier) / (1 + self.share) / self.batches]
        return max(typical(paces), LEAST) if paces else None

    @property
    def share(self) -> float:
        """What validation and saving take, as a share of an epoch's training: a guess before the first one."""
        return self.validation * VALIDATION_SHARE

    def rest(self, now: dict[bool, float], part: str) -> float:
        """Seconds of validation and saving, or of one of them. A machine that trains slower also validates slower."""
        if not self.done:
            return now[self.closed] * self.batches * self.share
        # The speed may have changed in the last batches or within the rest itself, which then lies anywhere between
        # what it took and that at the speed of now. What it took before, in proportion to the batches, tells where.
        likely: list[float] = []
        for item in self.done:
            pace, rest = now[item.closed], getattr(item, part)
            scaled = rest * changed(pace / item.end)
            before = typical(likely) if likely else self.by_first(item, pace, part)
            likely.append(scaled if before is None else min(max(before, min(rest, scaled)), max(rest, scaled)))
        return typical(likely)

    def by_first(self, item: ClosedEpoch, pace: float, part: str) -> float | None:
        """What a part of the rest takes at a pace by the first epoch; None: there is no other epoch yet."""
        if not self.warm or self.rests is None:
            return None
        return self.rests * pace * getattr(item, part) / max(item.rest, LEAST)


def standard_error(paces: Sequence[float]) -> float:
    """Of the mean of the logarithms of paces; 0 for a single one."""
    if len(paces) < 2:
        return 0.0
    return statistics.stdev(math.log(max(pace, LEAST)) for pace in paces) / math.sqrt(len(paces))


def unsteadiness(paces: Sequence[float]) -> float:
    """What the logarithm of a pace differs by from the one before it; one step among them tells nothing of that."""
    steps = [abs(math.log(late / early)) for early, late in itertools.pairwise(paces)]
    return statistics.median_low(steps) if len(steps) > 1 else 0.0


def changed(ratio: float) -> float:
    """The ratio of two paces; 1 where they may differ by chance."""
    return ratio if abs(math.log(ratio)) > math.log(CHANGED) else 1.0


def typical(times: Collection[float], outlier: float = OUTLIER) -> float:
    """The mean of what is not far above the median: sums are made of it, and one long sleep must not count. Where many
    are far above it, that is how the machine is, and they count."""
    most = outlier * statistics.median(times)
    usual = [time for time in times if time <= most]
    return statistics.fmean(times if len(times) - len(usual) > max(1, len(times) // MANY) else usual)
