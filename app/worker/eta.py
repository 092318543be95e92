"""How long a run will still take, from its recent epochs. Standard library only."""

import statistics
from collections import deque
from collections.abc import Collection, Sequence

RECENT = 9  # epochs that count: enough that one slow one does not matter, few enough to follow a change
# Measured: loading, stripping, validating with plots and drawing the tables takes so long even for tiny runs.
FINISH_S = 2.5
OUTLIER = 2.0  # times the median
SURE = 3  # batches of the first epoch that an estimate needs
# A validation image costs a forward pass, a training image that and the pass back, which is twice as much; what the
# metrics, the checkpoint and its copy take comes on top.
VALIDATION_SHARE = 0.5


class Pace:
    """The times of a run's epochs.

    Args:
        epochs: of the whole run.
        batches: of one epoch.
        closes: the first epoch (from 1) that is trained without mosaic; such epochs are faster.
        validation: images of the validation set over those of the training set.
        earlier: seconds of epochs that an earlier process of this run did; they count until there is a newer one.
    """

    def __init__(
        self, epochs: int, batches: int, closes: int, validation: float, earlier: Sequence[float] = ()
    ) -> None:
        self.epochs, self.batches, self.closes, self.validation = epochs, batches, closes, validation
        self.earlier = list(earlier)[-RECENT:]
        self.train: dict[bool, deque[float]] = {False: deque(maxlen=RECENT), True: deque(maxlen=RECENT)}
        self.rest: deque[float] = deque(maxlen=RECENT)
        self.warm = False  # the first epoch also fills caches: it counts only until there is another

    def epoch_done(self, epoch: int, train: float, rest: float) -> None:
        """Epoch (from 1) took `train` seconds of batches and `rest` seconds of validation and saving."""
        if not self.warm and (self.train[False] or self.train[True]):
            self.warm = True
            for times in (*self.train.values(), self.rest):
                times.clear()
        self.train[epoch >= self.closes].append(train)
        self.rest.append(rest)

    def left(self, done: int) -> float | None:
        """Seconds until the end after so many whole epochs; None while nothing is known."""
        if not self.rest:
            return typical(self.earlier) * (self.epochs - done) + FINISH_S if self.earlier else None
        closed = max(0, self.epochs - max(done, self.closes - 1))
        open_ = self.epochs - done - closed
        training = open_ * self._train(False) + closed * self._train(True)
        return training + (self.epochs - done + 1) * self._rest() + FINISH_S

    def left_within(self, done: int, batch: int, elapsed: float, first: float) -> float | None:
        """Seconds until the end after so many whole epochs and batches of the next one.

        `elapsed`: seconds since the epoch began; `first`: of its first batch, which in a new process is slow.
        """
        after = self.left(done)
        if after is None:
            return self._first_epoch(done, batch, elapsed, first)
        whole = self._train(done + 1 >= self.closes) if self.rest else typical(self.earlier)
        return max(0.0, after - whole * batch / self.batches)

    def _first_epoch(self, done: int, batch: int, elapsed: float, first: float) -> float | None:
        if batch < min(SURE, self.batches):
            return None
        each = (elapsed - first) / (batch - 1) if batch > 1 else elapsed
        epoch = each * self.batches
        validation = (self.epochs - done + 1) * epoch * self.validation * VALIDATION_SHARE
        return each * (self.batches - batch) + (self.epochs - done - 1) * epoch + validation + FINISH_S

    def _train(self, closed: bool) -> float:
        return typical(self.train[closed] or self.train[not closed])

    def _rest(self) -> float:
        return typical(self.rest)


def typical(times: Collection[float]) -> float:
    """The mean of what is not far above the median: sums are made of it, and one long sleep must not count."""
    most = OUTLIER * statistics.median(times)
    return statistics.fmean(time for time in times if time <= most)
