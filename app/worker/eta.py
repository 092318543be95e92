"""Estimates the remaining time of a run from the duration of its batches and epochs. Standard library only."""

import math
import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from app.worker.speeds import CHANGE_ERRORS, LEAST, STALLED, Speeds, typical, unsteadiness

RECENT = 9  # epochs considered: enough to average out a single slow one
# Measured on an idle machine: loading, stripping and drawing take this long even for tiny runs, besides the validation;
# on any machine, about DRAWINGS times as long as drawing the labels (measured: 3.1 to 4.7), the same kind of work at
# the start. Both are CPU time, and take longer under contention.
FINISH_S, DRAWINGS = 2.5, 4.2
# duration of that measurement after an epoch, and its maximum as a share of the epoch
PROBE_S, PROBE_SHARE = 0.05, 0.005
MIN_BATCHES = 3  # batches required for an estimate
PIECES = 10  # per epoch
CHANGED = 1.25  # ratio of two paces from which they count as different; smaller ones may be chance
ANOTHER = 1.5  # ratio of a piece's pace to its epoch's from which its speed may have changed
# A validation image costs a forward pass, a training image that and a backward pass, which costs twice as much;
# metrics, the checkpoint and its copy are extra.
VALIDATION_SHARE = 0.5
FULL_WEIGHT_SHARE = 0.3  # share of a validation from which its own pace alone determines its duration


@dataclass(frozen=True)
class ClosedEpoch:
    """A completed epoch. `closed`: without mosaic; `pace`: seconds per batch; `rest`: validation and saving, in s;
    `validation`: the first part of it; `end`: seconds per batch just before the rest; `pieces`: their number until
    then; `contention`: measured after it.
    """

    closed: bool
    pace: float
    rest: float
    validation: float
    end: float
    pieces: int
    contention: float


class Contention:
    """The slowdown of work on one core by other processes, as a factor."""

    def __init__(self) -> None:
        self.probes: deque[tuple[float, float]] = deque(maxlen=RECENT)  # seconds elapsed, and those on the CPU

    def measure(self, epoch: float) -> float:
        """Probe after an epoch of so many seconds, while this run is idle. Short epochs share a probe."""
        most = min(PROBE_S, PROBE_SHARE * epoch)
        start, used = time.monotonic(), time.thread_time()
        while (past := time.monotonic() - start) < most:
            pass
        return self.add(past, time.thread_time() - used)

    def add(self, past: float, used: float) -> float:
        """The slowdown over the latest probes that are long enough together, at least 1."""
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
        epochs: of the entire run.
        batches: per epoch.
        closes: the first epoch (from 1) without mosaic; such epochs are faster.
        validation: ratio of validation images to training images.
        earlier: seconds of epochs in an earlier process of this run, used until there is a new one.
        burst: batches that may arrive at once, since they are prefetched.
        drawing: CPU seconds of drawing the labels at the start; None: not drawn.
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
        self.recent_epochs: deque[ClosedEpoch] = deque(maxlen=RECENT)
        self.warm = False  # the first epoch also fills caches: it is used only until the next one
        self.piece = max(1, math.ceil(batches / PIECES), burst)
        self.speeds = Speeds(RECENT * max(1, batches // self.piece))
        self.closed_at: int | None = None  # the first piece without mosaic
        self.with_mosaic: float | None = None  # seconds per batch at the end of the epochs with mosaic
        self.first: float | None = None  # seconds of the very first batch, until its epoch ends
        self.started = False
        self.min_batches = max(MIN_BATCHES, burst)
        self.closed = False  # of the present epoch
        self.piece_batches, self.piece_seconds = 0, 0.0  # batches of the present piece, and their duration
        self.finish = FINISH_S if drawing is None else drawing * DRAWINGS
        self.rests: float | None = None  # duration of the rest in the first epoch, in batches

    # Recording.

    def add_batch(self, epoch: int, seconds: float) -> None:
        """Record a batch of an epoch (from 1): its seconds, loading included. The first one of a process does not
        count.
        """
        if (closed := epoch >= self.closes) != self.closed:
            self.close()
        if not self.started:
            self.started, self.closed, self.first = True, closed, seconds
            return
        self.piece_batches += 1
        self.piece_seconds += seconds
        if self.piece_batches == self.piece:
            self.speeds.add(self.piece_seconds / self.piece_batches)
            self.piece_batches, self.piece_seconds = 0, 0.0

    def close(self) -> None:
        """Record the switch to batches without mosaic, which is not a change of speed."""
        self.with_mosaic = self.pace(False)
        self.speeds.begin_anew()
        self.closed, self.closed_at = True, self.speeds.count
        self.piece_batches, self.piece_seconds = 0, 0.0

    def add_epoch(
        self, epoch: int, train: float, rest: float, validation: float | None = None, contention: float = 1.0
    ) -> None:
        """Record an epoch (from 1): `train` seconds of batches and `rest` seconds of validation and saving.

        Args:
            validation: seconds of the validation alone; None: the entire rest.
            contention: measured after it.
        """
        closed, pace = epoch >= self.closes, self.mean_batch(train)
        end = self.end_of_epoch(pace)
        if not self.warm and self.recent_epochs:
            self.warm = True
            self.recent_epochs.clear()
        elif not self.recent_epochs:  # the previous epoch filled the caches
            self.speeds.forget()
            self.piece_batches, self.piece_seconds = 0, 0.0
            self.rests = rest / end
        validated = rest if validation is None else validation
        self.recent_epochs.append(ClosedEpoch(closed, pace, rest, validated, end, self.speeds.count, contention))

    def end_of_epoch(self, pace: float) -> float:
        """The pace of an epoch's last batches, given that of the entire epoch: the same unless they differ clearly."""
        paces = self.speeds.all() or [pace]
        chance = max(math.log(ANOTHER), CHANGE_ERRORS * unsteadiness(paces))
        return paces[-1] if abs(math.log(paces[-1] / pace)) > chance else pace

    def mean_batch(self, train: float) -> float:
        """Seconds per batch of an epoch, without the first batch of the process, which starts workers and
        fills caches.
        """
        first, self.first = self.first, None
        if first is None or self.batches < 2:
            return max(train / self.batches, LEAST)
        return max((train - first) / (self.batches - 1), LEAST)

    # Estimating.

    def remaining(self, completed: int) -> float | None:
        """Seconds until the end, after so many completed epochs; None without a measured pace."""
        return self.remaining_within(completed, 0)

    def remaining_within(
        self, completed: int, batch: int, validating: float = 0.0, share: float = 0.0, at: float = 0.0
    ) -> float | None:
        """Seconds until the end, after so many completed epochs and batches of the next one.

        Args:
            validating: seconds since the last batch of that epoch.
            share: the part of its validation that took `at` seconds.
        """
        by_kind = self.paces()
        if by_kind is None:
            return None
        closed = max(0, self.epochs - max(completed, self.closes - 1))
        batches = {True: closed * self.batches, False: (self.epochs - completed - closed) * self.batches}
        batches[completed + 1 >= self.closes] -= batch
        training = sum(max(0, count) * by_kind[kind] for kind, count in batches.items())
        rest, validation = self.rest(by_kind, "rest"), self.rest(by_kind, "validation")
        over = (
            min(rest, validation - max(0.0, estimate_validation(validation, share, at) - validating))
            if validating
            else 0.0
        )
        # The best weights are validated once more.
        return training + (self.epochs - completed) * rest - over + validation + self.finish * self.contention()

    def remaining_at_end(self, validating: float, share: float = 0.0, at: float = 0.0) -> float | None:
        """Seconds until the end, `validating` seconds after the last epoch's end. A share of the last validation took
        `at` seconds.
        """
        by_kind = self.paces()
        if by_kind is None:
            return None
        validation = estimate_validation(self.rest(by_kind, "validation"), share, at)
        return max(0.0, validation - validating) + max(
            0.0, self.finish * self.contention() - max(0.0, validating - validation)
        )

    def paces(self) -> dict[bool, float] | None:
        """Seconds per batch without mosaic (True) and with it; None without a measured pace."""
        current, counterpart = self.pace(self.closed), self.pace(not self.closed)
        if current is None and counterpart is None:
            return None
        return {self.closed: current or counterpart or 0.0, not self.closed: counterpart or current or 0.0}

    def pace(self, closed: bool) -> float | None:
        """Seconds per batch with or without mosaic at present: the recent pace, weighted by how clearly it differs from
        that of previous epochs, compared with their own variation.
        """
        if self.closed and not closed:
            return self.mosaic_now()
        recent, before = self.recent() if closed == self.closed else None, self.before(closed)
        if recent is None or before is None:
            return recent if before is None else before
        chance = max(
            math.log(CHANGED), unsteadiness([item.pace for item in self.recent_epochs if item.closed == closed])
        )
        weight = min(1.0, abs(math.log(recent / before)) / chance) if self.warm else 1.0
        return before * (recent / before) ** weight

    def mosaic_now(self) -> float | None:
        """Seconds per batch with mosaic at the present speed, once mosaic is off."""
        first = None if self.closed_at is None else self.speeds.at(self.closed_at)
        now = self.pace(True)
        if self.with_mosaic is None or first is None or now is None:
            return self.with_mosaic
        return self.with_mosaic * now / first

    def recent(self) -> float | None:
        """The pace since the last change of speed; None: too few batches."""
        paces = self.speeds.present()
        if not paces and self.piece_batches >= min(self.min_batches, self.batches - 1) > 0:
            paces = [self.piece_seconds / self.piece_batches]
        return max(typical(paces, STALLED), LEAST) if paces else None

    def before(self, closed: bool) -> float | None:
        """The pace of previous epochs."""
        paces = [item.pace for item in self.recent_epochs if item.closed == closed]
        if not paces and not self.recent_epochs and self.earlier:
            paces = [typical(self.earlier) / (1 + self.share) / self.batches]
        return max(typical(paces), LEAST) if paces else None

    @property
    def share(self) -> float:
        """Duration of validation and saving relative to an epoch's training: an assumption before the first epoch."""
        return self.validation * VALIDATION_SHARE

    def rest(self, now: dict[bool, float], part: str) -> float:
        """Seconds of validation and saving, or of one of them. A machine that trains more slowly also validates more
        slowly.
        """
        if not self.recent_epochs:
            return now[self.closed] * self.batches * self.share
        steady: list[float] = []
        within: list[float] = []  # the speed changed just before, during or just after it
        for item in self.recent_epochs:
            pace, rest = now[item.closed], getattr(item, part)
            before, behind = self.around(item)
            if behind is None:
                steady.append(rest * pace / before)
            else:
                limits = sorted((rest * pace / before, rest * pace / behind))
                likely = math.sqrt(limits[0] * limits[1])
                if self.warm and self.rests is not None:  # its duration in the first epoch, in proportion to batches
                    likely = self.rests * pace * rest / max(item.rest, LEAST)
                within.append(min(max(likely, limits[0]), limits[1]))
        return typical(steady or within)

    def contention(self) -> float:
        """The present slowdown by other processes, as a factor: from the short measurements since the last change of
        speed.

        Their harmonic mean. Each takes the same time and yields time over CPU time; work that lasts has their mean
        share of the CPU, and one that was interrupted for long (20 and more were measured) adds little to it.
        """
        if not self.recent_epochs:
            return 1.0
        present = [item.contention for item in self.recent_epochs if item.pieces > self.speeds.since]
        return statistics.harmonic_mean(present) if present else self.recent_epochs[-1].contention

    def around(self, item: ClosedEpoch) -> tuple[float, float | None]:
        """The pace before the rest of an epoch, and after it if the speed had changed."""
        before = self.speeds.at(item.pieces - 1) or item.end
        if item.pieces in (self.closed_at, self.speeds.count) or self.speeds.is_one(item.pieces - 1, item.pieces):
            return before, None
        return before, self.speeds.at(item.pieces)


def estimate_validation(expected: float, share: float, seconds: float) -> float:
    """Seconds of a validation, given the time of a share of it: the larger the share, the larger its weight."""
    weight = min(1.0, share / FULL_WEIGHT_SHARE)
    return (1 - weight) * expected + weight * seconds / share if share else expected
