"""How long a run will still take, from the pace of its batches now and of its epochs before. Standard library only."""

import math
import statistics
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

RECENT = 9  # epochs that count: enough that one slow one does not matter
# Measured: loading, stripping, validating with plots and drawing the tables takes so long even for tiny runs.
FINISH_S = 2.5
OUTLIER = 2.0  # times the median: an epoch in which something else held up the machine
STALLED = 4.0  # times the median: the same for a piece of an epoch, which varies more
SURE = 3  # batches that an estimate needs
PIECES = 10  # of an epoch
LEAST = 1e-6  # seconds a batch: paces are divided by each other
CHANGED = 1.25  # a pace that is so many times another is another pace; below it the two may differ by chance
# A validation image costs a forward pass, a training image that and the pass back, which is twice as much; what the
# metrics, the checkpoint and its copy take comes on top.
VALIDATION_SHARE = 0.5


@dataclass(frozen=True)
class Done:
    """An epoch that is done. `closed`: without mosaic; `pace`: seconds a batch; `rest`: validation and saving, in s."""

    closed: bool
    pace: float
    rest: float


class Pace:
    """The times of a run's batches and epochs.

    Args:
        epochs: of the whole run.
        batches: of one epoch.
        closes: the first epoch (from 1) that is trained without mosaic; such epochs are faster.
        validation: images of the validation set over those of the training set.
        earlier: seconds of epochs that an earlier process of this run did; they count until there is a newer one.
        burst: so many batches may come at once, because helpers load them in advance.
    """

    def __init__(
        self,
        epochs: int,
        batches: int,
        closes: int,
        validation: float,
        earlier: Sequence[float] = (),
        burst: int = 1,
    ) -> None:
        self.epochs, self.batches, self.closes, self.validation = epochs, batches, closes, validation
        self.earlier = list(earlier)[-RECENT:]
        self.done: deque[Done] = deque(maxlen=RECENT)
        self.warm = False  # the first epoch also fills caches: it counts only until there is another
        self.piece = max(1, math.ceil(batches / PIECES), burst)
        self.pieces: deque[tuple[bool, float]] = deque(maxlen=max(1, batches // self.piece))  # an epoch's: closed, pace
        self.first: float | None = None  # seconds of the first batch of all, until its epoch is over
        self.started = False
        self.sure = max(SURE, burst)
        self.closed = False  # of the present epoch
        self.seen, self.seconds = 0, 0.0  # batches of the present piece, and what they took

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

    def epoch_done(self, epoch: int, train: float, rest: float) -> None:
        """Epoch (from 1) took `train` seconds of batches and `rest` seconds of validation and saving."""
        if not self.warm and self.done:
            self.warm = True
            self.done.clear()
        elif not self.done:  # the epoch that filled the caches
            self.pieces.clear()
            self.seen, self.seconds = 0, 0.0
        self.done.append(Done(epoch >= self.closes, self.mean_batch(train), rest))

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

    def left_within(self, done: int, batch: int) -> float | None:
        """Seconds until the end after so many whole epochs and batches of the next one."""
        now, other = self.pace(self.closed), self.pace(not self.closed)
        if now is None and other is None:
            return None
        by_kind = {self.closed: now or other or 0.0, not self.closed: other or now or 0.0}
        closed = max(0, self.epochs - max(done, self.closes - 1))
        batches = {True: closed * self.batches, False: (self.epochs - done - closed) * self.batches}
        batches[done + 1 >= self.closes] -= batch
        training = sum(max(0, count) * by_kind[kind] for kind, count in batches.items())
        return training + (self.epochs - done + 1) * self.rest(by_kind) + FINISH_S  # the best weights come once more

    def pace(self, closed: bool) -> float | None:
        """Seconds a batch with or without mosaic now: of the last batches, weighted against the epochs before.

        The more the two differ, the less it is by chance, and the more the last batches count.
        """
        recent, before = self.recent(closed), self.before(closed)
        if recent is None or before is None:
            return recent if before is None else before
        weight = min(1.0, abs(math.log(recent / before)) / math.log(CHANGED)) if self.warm else 1.0
        return before * (recent / before) ** weight

    def recent(self, closed: bool) -> float | None:
        """Of the last batches, an epoch's at most; None while they are too few."""
        paces = [pace for kind, pace in self.pieces if kind == closed]
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

    def rest(self, now: dict[bool, float]) -> float:
        """Seconds of validation and saving. A machine that trains slower than it did validates slower, too."""
        if not self.done:
            return now[self.closed] * self.batches * self.share
        return typical([item.rest * changed(now[item.closed] / item.pace) for item in self.done])


def changed(ratio: float) -> float:
    """The ratio of two paces; 1 where they may differ by chance."""
    return ratio if abs(math.log(ratio)) > math.log(CHANGED) else 1.0


def typical(times: Collection[float], outlier: float = OUTLIER) -> float:
    """The mean of what is not far above the median: sums are made of it, and one long sleep must not count."""
    most = outlier * statistics.median(times)
    return statistics.fmean(time for time in times if time <= most)
