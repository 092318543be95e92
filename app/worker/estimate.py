"""Measures a few real batches of a training: `python -m app.worker.estimate DIRECTORY`.

`spec.json` is that of app/worker/train.py, whose own code runs here, with a trainer that stops once it knows enough,
and `measure_seconds`: how long batches are measured.
`result.json` then holds the figures of `Measurement.figures`, or `error_kind` and `error`. When memory runs out, the
batch is halved and measured again: `fits` is false, and the figures are those of `batch`, the largest that did fit.
"""

import json
import os
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from app.worker.channel import Channel, current, open_channel
from app.worker.failures import chain, kind_of, sentence
from app.worker.files import put

PLAIN, VAL = 0.4, 0.5  # training without mosaic, validation: how long, of the spec's `measure_seconds` for training
LONGEST = 1.8  # all training batches together: a slow machine sees fewer
LEAST, MOST = 3, 500  # batches
HALVINGS = 2
KEPT_FREE = 0.05  # of the memory: what the machine needs itself
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


class Measurement:
    """Mixed into a trainer: its own loop, loaders, model and optimizer, with a clock beside them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.asked: int | None = None
        self.budget = float(current().spec["measure_seconds"])
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

    def plot_training_samples(self, batch: Any, ni: int) -> None:
        """Of the first three batches only: it would blur their figures."""

    def optimizer_step(self) -> None:
        self.synchronize()
        began = time.monotonic()
        super().optimizer_step()  # type: ignore[misc]
        self.synchronize()
        self.step = time.monotonic() - began

    def final_eval(self) -> None:
        """The training ended before enough was seen: so few batches has it."""
        self.finish()

    # The clock.

    def synchronize(self) -> None:
        import torch

        if self.device.type == "cuda":  # type: ignore[attr-defined]
            torch.cuda.synchronize(self.device)  # type: ignore[attr-defined]

    def begin(self) -> None:
        me: Any = self
        me.start_seconds = time.time() - psutil.Process().create_time()
        self.began = time.monotonic()
        self.asked = me.batch_size
        self.mosaic = not me.args.close_mosaic or me.epochs > me.args.close_mosaic
        self.limit_validation()

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
        wanted = self.budget * (1.0 if self.mosaic or not self.times[True] else PLAIN)
        return (
            seen >= MOST or (seen >= LEAST and now - self.since >= wanted) or now - self.began >= LONGEST * self.budget
        )

    def go_on(self, now: float) -> None:
        """From the epochs with mosaic to those without, then to the end."""
        me: Any = self
        if (
            not self.mosaic
            or not me.args.close_mosaic
            or me.args.mosaic == 0
            or now - self.began >= LONGEST * self.budget
        ):
            self.finish()
        me._close_dataloader_mosaic()
        me.train_loader.reset()
        self.mosaic, self.since = False, now

    def finish(self) -> None:
        """Validate, save, and stop with the figures."""
        me: Any = self
        batches, seconds = len(me.test_loader), self.validation_seconds()
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


def memory_of(device: Any) -> tuple[int, int]:
    """The most that was held so far, and what there is: of the GPU, or of this process and the machine."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, machine_memory()


def machine_memory() -> int:
    """Of the machine, or of the container that this runs in."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no such limit
        return total


def device_name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def memory_limit(limit: int) -> int:
    """The private memory that train.py lets this process have, so that it fails before the machine does; in bytes.

    Args:
        limit: TRAINING_MEMORY_LIMIT, 0 for none.
    """
    memory = psutil.virtual_memory()
    most = int(psutil.Process().memory_info().data + memory.available - KEPT_FREE * memory.total)
    return min(most, limit) if limit else most


def measure(channel: Channel) -> dict[str, Any]:
    """The figures of the batch in the spec."""
    from app.worker import train
    from app.worker.tasks import TRAINERS

    spec = channel.spec
    trainer = TRAINERS[spec["task"]]
    TRAINERS[spec["task"]] = type(f"Measuring{trainer.__name__}", (Measurement, trainer), {})
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
