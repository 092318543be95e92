"""How long a run will still take, from the pace of its batches now and of its epochs before. Standard library only."""

import math
import statistics
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

FIRST = 2  # epochs of a run that its speed is compared with: the first one may also fill caches
RECENT = 9  # epochs that count: enough that one slow one does not matter
# Measured on a quiet machine: loading, stripping and drawing take so long even for tiny runs, besides the validation;
# on any machine about DRAWINGS times as long as drawing the labels, which is the same kind of work at the start.
FINISH_S, DRAWINGS = 2.5, 3.6
OUTLIER = 2.0  # times the median: an epoch in which something else held up the machine
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
    `validation`: the first part of it; `begin`, `end`: seconds a batch at the start, and just before the rest."""

    closed: bool
    pace: float
    rest: float
    validation: float
    begin: float
    end: float


class TrainingPace:
    """The times of a run's batches and epochs.

    Args:
        epochs: of the whole run.
        batches: of one epoch.
        closes: the first epoch (from 1) that is trained without mosaic; such epochs are faster.
        validation: images of the validation set over those of the training set.
        earlier: seconds of epochs that an earlier process of this run did; they count until there is a newer one.
        burst: so many batches may come at once, because helpers load them in advance.
        drawing: seconds that drawing the labels took at the start; None: not drawn.
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
        # Of the first epochs, by which the speed of now is known: paces by kind of epoch, and seconds of validation.
        self.first_paces: dict[bool, list[float]] = {}
        self.first_validations: list[float] = []
        self.slow = 1.0  # how many times as long things took in the last epoch as in the first ones

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

    def epoch_done(self, epoch: int, train: float, rest: float, validation: float | None = None) -> None:
        """Epoch (from 1) took `train` seconds of batches and `rest` seconds of validation and saving.

        Args:
            validation: seconds of the validation alone; None: all of the rest.
        """
        closed, pace = epoch >= self.closes, self.mean_batch(train)
        begin, end = self.within(pace)
        if not self.warm and self.done:
            self.warm = True
            self.done.clear()
        elif not self.done:  # the epoch that filled the caches
            self.pieces.clear()
            self.seen, self.seconds = 0, 0.0
        item = ClosedEpoch(closed, pace, rest, rest if validation is None else validation, begin, end)
        self.refer(item)
        self.done.append(item)
        self.slow = self.slowdown()

    def within(self, pace: float) -> tuple[float, float]:
        """The paces of the first and of the last batches of the epoch, whose own is `pace`: the same where they do not
        differ much. What follows has that of the end. The first epoch also fills caches, so that only a sudden change
        tells that it became faster."""
        paces = [max(item, LEAST) for _, item in self.pieces] or [pace]
        first, last = paces[0], paces[-1]
        if not self.done and not self.warm:
            first = before_step(paces) or min(first, last)
        end = last if abs(math.log(last / pace)) > math.log(ANOTHER) else pace
        return (first, last) if abs(math.log(last / first)) > math.log(ANOTHER) else (end, end)

    def refer(self, item: ClosedEpoch) -> None:
        """Remember the first epochs, as they were before the speed changed within one; those without mosaic come later,
        and their pace is that of the speed of then."""
        paces = self.first_paces.setdefault(item.closed, [])
        if len(self.first_validations) < FIRST:
            steady = item.begin == item.end
            # Where the very first one became faster of a sudden, the second has the new speed: it is no reference.
            times = FIRST if not self.first_validations and item.begin > item.end else 1
            paces.extend([item.pace if steady else item.begin] * times)
            self.first_validations.extend([item.validation * (1.0 if steady else item.begin / item.end)] * times)
        elif not paces:
            paces.append(item.pace / self.slow)

    def slowdown(self) -> float:
        """How many times as long things take now as in the first epochs, as far as batches and validation agree: a
        busy machine slows what uses all its cores more than what uses one."""
        if not self.done:
            return 1.0
        now, paces, validation = self.pace(self.closed), self.first_paces.get(self.closed), self.done[-1].validation
        batches = beyond(now, paces) if now and paces else self.slow
        validating = beyond(validation, self.first_validations) if validation else batches
        if (batches - 1) * (validating - 1) <= 0:
            return 1.0
        return changed(min(batches, validating, key=lambda ratio: abs(math.log(ratio))))

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
        # The best weights are validated once more.
        rests = (self.epochs - done) * self.rest(by_kind, "rest") + self.rest(by_kind, "validation")
        return training + rests + self.finish * self.slowdown()

    def pace(self, closed: bool) -> float | None:
        """Seconds a batch with or without mosaic now: of the last batches, weighted against the epochs before.

        The more the two differ, the less it is by chance, and the more the last batches count.
        """
        recent, before = self.recent(closed), self.before(closed)
        if recent is None or before is None:
            return recent if before is None else before
        chance = max(math.log(CHANGED), SURE_OF_CHANGE * standard_error(self.pieces_of(closed)))
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
        return typical([getattr(item, part) * changed(now[item.closed] / item.end) for item in self.done])


def standard_error(paces: Sequence[float]) -> float:
    """Of the mean of the logarithms of paces; 0 for a single one."""
    if len(paces) < 2:
        return 0.0
    return statistics.stdev(math.log(max(pace, LEAST)) for pace in paces) / math.sqrt(len(paces))


def beyond(now: float, references: Sequence[float]) -> float:
    """How many times as long `now` is as the first reference where it is longer, as the least where it is shorter than
    that: the first epoch may have filled caches, so between the two nothing is known, and it is 1."""
    return max(1.0, now / max(LEAST, references[0])) * min(1.0, now / max(LEAST, min(references)))


def before_step(paces: Sequence[float]) -> float | None:
    """The pace before a sudden change for the faster; None: there was none. While caches fill, batches get faster
    little by little, or the first ones are slow alone."""
    for place in range(2, len(paces) - 1):  # a piece may lie on both sides
        early, late = typical(paces[:place]), typical(paces[place:])
        if min(early, paces[place - 1]) > ANOTHER * max(late, paces[place + 1]):
            return early
    return None


def changed(ratio: float) -> float:
    """The ratio of two paces; 1 where they may differ by chance."""
    return ratio if abs(math.log(ratio)) > math.log(CHANGED) else 1.0


def typical(times: Collection[float], outlier: float = OUTLIER) -> float:
    """The mean of what is not far above the median: sums are made of it, and one long sleep must not count."""
    most = outlier * statistics.median(times)
    return statistics.fmean(time for time in times if time <= most)
