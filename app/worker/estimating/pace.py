"""Measures the duration of a training's batches, and decides when they suffice. Standard library only."""

import statistics

WITH_MOSAIC, WITHOUT_MOSAIC, VAL = (
    0.5,
    0.2,
    0.2,
)  # shares of the remaining time from the first possible batch: with mosaic, without, validation
LONGEST = 1.2  # longest time as a multiple of the batches' share: slow machines measure fewer batches
LEAST, MOST = 3, 500  # batches
SETTLED, SETTLED_BY = 20, 0.02  # number of batches, and relative standard error of their mean, that suffice


class BatchPace:
    """Seconds per batch in two phases: with mosaic, which comes first if the training uses it, and without.

    Args:
        budget: seconds for the batches of both phases and for the validation.
        ahead: prefetched batches: the first ones do not measure loading.
        mosaic: whether there is a phase with mosaic.
        began: when the first batch could start, by time.monotonic() like all times here.
    """

    def __init__(self, budget: float, ahead: int, mosaic: bool, began: float) -> None:
        self.budget, self.ahead, self.mosaic, self.began = budget, ahead, mosaic, began
        self.warm_up: float | None = None  # the first batch
        self.batches: dict[bool, list[float]] = {True: [], False: []}  # by whether mosaic was on
        self.steps: list[float] = []  # of the optimizer
        self._step = 0.0
        self._mark = self._since = began  # time of the last batch; start of the phase

    def begin_epoch(self, now: float) -> None:
        """Exclude the time between two epochs from the next batch."""
        self._mark = now

    def add_step(self, seconds: float) -> None:
        """A step of the optimizer within the present batch."""
        self._step = seconds

    def add_batch(self, now: float) -> None:
        """Record the end of a batch."""
        took, self._mark = now - self._mark, now
        if self.warm_up is None:
            self.warm_up, self._since = took, now
        else:
            self.batches[self.mosaic].append(took - self._step)
            if self._step:
                self.steps.append(self._step)
        self._step = 0.0

    def begin_without_mosaic(self, now: float) -> None:
        """The phase without mosaic begins."""
        self.mosaic, self._since = False, now

    def enough(self, now: float) -> bool:
        """Whether this phase has been measured for long enough."""
        count = len(self.batches[self.mosaic])
        late = (now - self.began) / (LONGEST * (WITH_MOSAIC + WITHOUT_MOSAIC) * self.budget)
        if late >= (1 if count else 2):  # the first batch is slower than the others: measure one more
            return True
        budget = self.budget * (WITH_MOSAIC if self.mosaic else WITHOUT_MOSAIC)
        return count >= MOST or (count >= LEAST and now - self._since >= budget) or self.settled()

    def settled(self) -> bool:
        """Whether more batches would hardly change the mean of this phase."""
        seconds = self.batches[self.mosaic][self.ahead :]
        if len(seconds) < SETTLED:
            return False
        return statistics.stdev(seconds) / len(seconds) ** 0.5 < SETTLED_BY * statistics.mean(seconds)

    def batch_seconds(self, mosaic: bool, accumulated: int) -> float | None:
        """Seconds per batch: loading, forward, backward, and its share of the optimizer's step.

        Args:
            accumulated: batches per optimizer step.
        """
        seconds = self.batches[mosaic]
        if not seconds:
            return None
        steady = seconds[self.ahead :] if len(seconds) > 2 * self.ahead else seconds
        if len(steady) >= 10:
            steady = sorted(steady)[:-1]  # drop one outlier
        return statistics.mean(steady) + (statistics.mean(self.steps) / accumulated if self.steps else 0.0)

    def measured(self) -> int:
        """The number of measured batches."""
        return sum(map(len, self.batches.values()))
