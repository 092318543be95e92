"""Measures the pace of a training's batches, and whether they are enough. Standard library only."""

import statistics

WITH_MOSAIC, WITHOUT_MOSAIC, VAL = (
    0.5,
    0.2,
    0.2,
)  # of what is left when the first batch can come: with mosaic, without, validation
LONGEST = 1.2  # times the share of all training batches: a slow machine sees fewer
LEAST, MOST = 3, 500  # batches
SETTLED, SETTLED_BY = 20, 0.02  # so many batches whose mean is known so well need no more of them


class BatchPace:
    """Seconds a batch in two phases: with mosaic, which comes first where the training has it, and without.

    Args:
        budget: seconds for the batches of both phases and for the validation.
        ahead: how many batches are loaded in advance: the first so many are no measure of the loading.
        mosaic: whether there is a phase with mosaic.
        began: when the first batch could come, by time.monotonic() as all times here.
    """

    def __init__(self, budget: float, ahead: int, mosaic: bool, began: float) -> None:
        self.budget, self.ahead, self.mosaic, self.began = budget, ahead, mosaic, began
        self.warm_up: float | None = None  # the first batch
        self.batches: dict[bool, list[float]] = {True: [], False: []}  # by whether mosaic was on
        self.steps: list[float] = []  # of the optimizer
        self._step = 0.0
        self._mark = self._since = began  # the last batch; the phase

    def begin_epoch(self, now: float) -> None:
        """What came between two epochs is no part of a batch."""
        self._mark = now

    def add_step(self, seconds: float) -> None:
        """A step of the optimizer within the present batch."""
        self._step = seconds

    def add_batch(self, now: float) -> None:
        """A batch has ended."""
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
        if late >= (1 if count else 2):  # the first batch is slower than the others: one more is worth its time
            return True
        budget = self.budget * (WITH_MOSAIC if self.mosaic else WITHOUT_MOSAIC)
        return count >= MOST or (count >= LEAST and now - self._since >= budget) or self.settled()

    def settled(self) -> bool:
        """Whether the mean of this phase would hardly change with more batches."""
        seconds = self.batches[self.mosaic][self.ahead :]
        if len(seconds) < SETTLED:
            return False
        return statistics.stdev(seconds) / len(seconds) ** 0.5 < SETTLED_BY * statistics.mean(seconds)

    def batch_seconds(self, mosaic: bool, accumulated: int) -> float | None:
        """Seconds a batch: loading, forward, backward, and its share of the optimizer's step.

        Args:
            accumulated: batches a step.
        """
        seconds = self.batches[mosaic]
        if not seconds:
            return None
        steady = seconds[self.ahead :] if len(seconds) > 2 * self.ahead else seconds
        if len(steady) >= 10:
            steady = sorted(steady)[:-1]  # one that something else held up
        return statistics.mean(steady) + (statistics.mean(self.steps) / accumulated if self.steps else 0.0)

    def measured(self) -> int:
        """How many batches were measured."""
        return sum(map(len, self.batches.values()))
