"""Measures a few real batches of a training: `python -m app.worker.estimate DIRECTORY`.

`spec.json` is that of app/worker/train.py, whose own code runs here, with a trainer that stops once it knows enough,
and `measure_seconds`: how long all of it may take on a machine that is fast enough. Batches with mosaic and without are
both measured, so that the figures serve any number of epochs. What it is doing is said as Stage events.
`result.json` then holds the figures of `Measurement.figures`, or `error_kind` and `error`. When memory runs out, the
batch is halved and measured again: `fits` is false, and the figures are those of `batch`, the largest that did fit.
"""

import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from app.events import Stage
from app.worker.channel import Channel, current, open_channel
from app.worker.failures import chain, kind_of, sentence
from app.worker.files import put
from app.worker.memory import device_name, memory_limit, memory_of

FULL, PLAIN, VAL = 0.5, 0.2, 0.2  # of what is left when the first batch can come: with mosaic, without, validation
LEAST_S = 8.0  # for these three, however long it took to get there
LONGEST = 1.2  # times the share of all training batches: a slow machine sees fewer
LEAST, MOST = 3, 500  # batches
SETTLED, SETTLED_BY = 20, 0.02  # so many batches whose mean is known so well need no more of them
HALVINGS = 2
ALLOCATION = ("Failed to allocate", "could not create a primitive")  # of OpenCV, of oneDNN


class Measured(Exception):
    """Enough was seen.

    Args:
        figures: see `Measurement.figures`.
    """

    def __init__(self, figures: dict[str, Any]) -> None:
        super().__init__("measured")
        self.figures = figures


class Few:
    """A loader that ends after a while, but not before its second batch."""

    def __init__(self, loader: Any, seconds: float) -> None:
        self.loader, self.seconds = loader, seconds
        self.dataset = loader.dataset

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        began = time.monotonic()
        for number, batch in enumerate(self.loader, 1):
            yield batch
            if number >= 2 and time.monotonic() - began > self.seconds:
                return


class Endless:
    """The training's loader without the end of an epoch, which is how the other augmentation can begin at any batch.

    ultralytics' loader must not be reset while it is iterated: its iterator is gone then, and the loop fails.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.renewed = False

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from self.until_renewed()
            self.renewed = False

    def until_renewed(self) -> Iterator[Any]:
        for batch in self.loader:
            yield batch
            if self.renewed:
                break
        if self.renewed:
            self.loader.reset()

    def renew(self) -> None:
        """What was loaded in advance is thrown away: the next batch is made anew."""
        self.renewed = True


class Measurement:
    """Mixed into a trainer: its own loop, loaders, model and optimizer, with a clock beside them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.asked: int | None = None
        self.budget = 0.0
        self.warm: float | None = None
        self.mosaic = True
        self.times: dict[bool, list[float]] = {True: [], False: []}  # seconds a batch, by whether mosaic was on
        self.steps: list[float] = []
        self.step = 0.0
        self.mark = self.since = self.began = 0.0
        self.marks: list[float] = []
        super().__init__(*args, **kwargs)

    # What ultralytics calls.

    def run_callbacks(self, event: str) -> None:
        """Only the clock: nothing is told, no config.yaml is written."""
        if event == "on_train_start":
            self.begin()
        elif event == "on_train_epoch_start":
            self._oom_retries = MOST  # ultralytics would halve the batch in this process, see `halve`
            self.mark = time.monotonic()
        elif event == "on_train_batch_end":
            self.count_batch()

    def _build_train_pipeline(self) -> None:
        me: Any = self
        super()._build_train_pipeline()  # type: ignore[misc]
        me.train_loader = Endless(me.train_loader)

    def plot_training_samples(self, batch: Any, ni: int) -> None:
        """Of the first three batches only: it would blur their figures."""

    def optimizer_step(self) -> None:
        self.synchronize()
        began = time.monotonic()
        super().optimizer_step()  # type: ignore[misc]
        self.synchronize()
        self.step = time.monotonic() - began

    # The clock.

    def synchronize(self) -> None:
        import torch

        if self.device.type == "cuda":  # type: ignore[attr-defined]
            torch.cuda.synchronize(self.device)  # type: ignore[attr-defined]

    def say_stage(self, name: str) -> None:
        current().say(Stage(name))

    def begin(self) -> None:
        me: Any = self
        me.start_seconds = time.time() - psutil.Process().create_time()
        self.budget = max(LEAST_S, float(current().spec["measure_seconds"]) - me.start_seconds)
        self.began = time.monotonic()
        self.asked = me.batch_size
        self.mosaic = self.has_mosaic()
        self.limit_validation()
        self.say_stage("batches")

    def has_mosaic(self) -> bool:
        """Whether there are epochs with mosaic at all, which then differ from the last ones."""
        me: Any = self
        return bool(me.args.mosaic) and hasattr(me.train_loader.dataset, "close_mosaic")

    def limit_validation(self) -> None:
        me: Any = self
        me.validator.dataloader = Few(me.test_loader, VAL * self.budget)
        me.validator.callbacks["on_val_batch_end"] = [lambda _validator: self.marks.append(time.monotonic())]

    def count_batch(self) -> None:
        now = time.monotonic()
        took, self.mark = now - self.mark, now
        if self.warm is None:
            self.warm, self.since = took, now
        else:
            self.times[self.mosaic].append(took - self.step)
            if self.step:
                self.steps.append(self.step)
        self.step = 0.0
        if self.enough(now):
            self.go_on(now)

    def enough(self, now: float) -> bool:
        """Whether this phase has been seen for long enough."""
        seen = len(self.times[self.mosaic])
        late = (now - self.began) / (LONGEST * (FULL + PLAIN) * self.budget)
        if late >= (1 if seen else 2):  # the first batch is slower than the others: one more is worth its time
            return True
        wanted = self.budget * (FULL if self.mosaic else PLAIN)
        return seen >= MOST or (seen >= LEAST and now - self.since >= wanted) or self.settled()

    def settled(self) -> bool:
        """Whether the mean of this phase would hardly change with more batches."""
        me: Any = self
        ahead = 2 * me.train_loader.num_workers
        seen = self.times[self.mosaic][ahead:]
        if len(seen) < SETTLED:
            return False
        return statistics.stdev(seen) / len(seen) ** 0.5 < SETTLED_BY * statistics.mean(seen)

    def go_on(self, now: float) -> None:
        """From the batches with mosaic to those without, then to the end."""
        me: Any = self
        if not self.mosaic:
            self.finish()
        me._close_dataloader_mosaic()
        me.train_loader.renew()
        self.say_stage("plain_batches")
        self.mosaic, self.since = False, now
        self.mark = time.monotonic()

    def finish(self) -> None:
        """Validate, save, and stop with the figures."""
        me: Any = self
        self.say_stage("validating")
        batches, seconds = len(me.test_loader), self.validation_seconds()
        self.say_stage("saving")
        began = time.monotonic()
        me.save_model()
        raise Measured(self.figures(batches, seconds, time.monotonic() - began))

    def validation_seconds(self) -> float:
        """A whole validation, from a part of it: its batches, and the reckoning behind them."""
        me: Any = self
        me.ema.update_attr(me.model, include=["yaml", "nc", "args", "names", "stride", "class_weights"])
        self.limit_validation()
        self.marks = [time.monotonic()]
        me.metrics, me.fitness = me.validate()
        end = time.monotonic()
        took = [after - before for before, after in zip(self.marks, self.marks[1:], strict=False)]
        batches, seen = len(me.test_loader), len(took)
        rest = (end - self.marks[-1]) * batches / seen
        if seen == batches:
            return sum(took) + rest
        return took[0] + statistics.mean(took[1:]) * (batches - 1) + rest  # the first one warms up

    def batch_seconds(self, mosaic: bool) -> float | None:
        """Seconds a batch: loading, forward, backward, and its share of the optimizer's step."""
        me: Any = self
        seen = self.times[mosaic]
        if not seen:
            return None
        ahead = 2 * me.train_loader.num_workers  # batches that were loaded in advance
        steady = seen[ahead:] if len(seen) > 2 * ahead else seen
        if len(steady) >= 10:
            steady = sorted(steady)[:-1]  # one that something else held up
        share = statistics.mean(self.steps) / max(round(me.args.nbs / me.batch_size), 1) if self.steps else 0.0
        return statistics.mean(steady) + share

    def figures(self, val_batches: int, val_seconds: float, save_seconds: float) -> dict[str, Any]:
        """What was measured. Seconds and bytes; `batch_seconds` with mosaic, `plain_batch_seconds` without."""
        me: Any = self
        full, plain = self.batch_seconds(True), self.batch_seconds(False)
        memory, total = memory_of(me.device)
        return {
            "fits": me.batch_size == self.asked,
            "batch": me.batch_size,
            "batches": len(me.train_loader),
            "val_batches": val_batches,
            "start_seconds": me.start_seconds,
            "batch_seconds": full or plain or self.warm,
            "plain_batch_seconds": plain,
            "val_seconds": val_seconds,
            "save_seconds": save_seconds,
            "measured_batches": sum(map(len, self.times.values())),
            "parameters": sum(item.numel() for item in me.model.parameters()),
            "checkpoint_bytes": me.last.stat().st_size,
            "memory": memory,
            "memory_total": total,
            "device": device_name(me.device),
        }


def measure(channel: Channel) -> dict[str, Any]:
    """The figures of the batch in the spec."""
    from app.worker import train
    from app.worker.tasks import TRAINERS, trainer_key

    spec = channel.spec
    key = trainer_key(spec)
    trainer = TRAINERS[key]
    TRAINERS[key] = type(f"Measuring{trainer.__name__}", (Measurement, trainer), {})
    if spec["device"] == "cpu":
        spec["memory_limit"] = memory_limit(spec["memory_limit"])
    try:
        train.train(channel)
    except Measured as end:
        return end.figures | {"fits": end.figures["fits"] and not spec.get("halvings")}
    raise RuntimeError("the training ended without a measurement")


def out_of_memory(error: Exception) -> bool:
    return kind_of(error) == "out_of_memory" or any(part in str(item) for item in chain(error) for part in ALLOCATION)


def halve(channel: Channel) -> None:
    """Start anew with half the batch, as the same process with an empty memory; returns where that makes no sense."""
    spec = channel.spec
    halvings, batch = spec.get("halvings", 0) + 1, spec["batch_now"] // 2
    if halvings > HALVINGS or batch < 1:
        return
    values = spec | {"halvings": halvings, "batch_size": batch, "batch_now": batch}
    put(channel.directory / "spec.json", lambda draft: draft.write_text(json.dumps(values), encoding="utf-8"))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "app.worker.estimate", str(channel.directory)])  # noqa: S606


def main(directory: str) -> None:
    channel = open_channel(directory)
    try:
        result = measure(channel)
    except Exception as error:
        traceback.print_exc()
        kind = "out_of_memory" if out_of_memory(error) else kind_of(error)
        if kind == "out_of_memory":
            halve(channel)
        result = {"error_kind": kind, "error": sentence(error)}
    put(Path(directory) / "result.json", lambda draft: draft.write_text(json.dumps(result), encoding="utf-8"))
    sys.stdout.flush()
    os._exit(0)  # nothing that helpers still do is of interest


if __name__ == "__main__":
    main(sys.argv[1])
