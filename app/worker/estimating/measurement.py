"""A measuring mixin for the training's own trainer, so that its own loop, loaders and optimizer run."""

import statistics
import time
from typing import Any

from app.core.estimate import EstimateFigures
from app.events import Stage
from app.worker.channel import current
from app.worker.estimating.loaders import Endless, Few
from app.worker.estimating.pace import MOST, VAL, BatchPace
from app.worker.memory import device_name, memory_of
from app.worker.train import check_stop

LEAST_S = 8.0  # for batches and validation, however late they begin


class MeasurementComplete(Exception):
    """Ends a measurement that has enough batches.

    Args:
        figures: see `Measurement.figures`.
    """

    def __init__(self, figures: EstimateFigures) -> None:
        super().__init__("measured")
        self.figures = figures


class Measurement:
    """Stops with `MeasurementComplete` once it has enough batches.

    `measure_seconds` of the class: the duration of a measurement on a fast machine.
    """

    measure_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.batch_at_start: int | None = None
        self.start_seconds = 0.0
        self.batch_pace: BatchPace = BatchPace(0.0, 0, False, time.monotonic())
        self.validation_times: list[float] = []  # the start of the validation, then the end of each of its batches
        super().__init__(*args, **kwargs)

    # Called by ultralytics.

    def run_callbacks(self, event: str) -> None:
        """Measures only: no events, no config.yaml."""
        if event == "on_train_start":
            self.begin()
        elif event == "on_train_epoch_start":
            # otherwise ultralytics would halve the batch in this process, see programs/estimate.py
            self._oom_retries = MOST
            self.batch_pace.begin_epoch(time.monotonic())
        elif event == "on_train_batch_end":
            self.end_batch()

    def _build_train_pipeline(self) -> None:
        me: Any = self
        super()._build_train_pipeline()  # type: ignore[misc]
        me.train_loader = Endless(me.train_loader)

    def plot_training_samples(self, batch: Any, ni: int) -> None:
        """Skipped: it would distort the times of the first three batches."""

    def optimizer_step(self) -> None:
        self.synchronize()
        began = time.monotonic()
        super().optimizer_step()  # type: ignore[misc]
        self.synchronize()
        self.batch_pace.add_step(time.monotonic() - began)

    # Measuring.

    def synchronize(self) -> None:
        import torch

        if self.device.type == "cuda":  # type: ignore[attr-defined]
            torch.cuda.synchronize(self.device)  # type: ignore[attr-defined]

    def begin(self) -> None:
        me: Any = self
        self.start_seconds = current().worked()
        budget = max(LEAST_S, self.measure_seconds - self.start_seconds)
        self.batch_at_start = me.batch_size
        # Without mosaic, the last epochs are like the others.
        mosaic = bool(me.args.mosaic) and hasattr(me.train_loader.dataset, "close_mosaic")
        self.batch_pace = BatchPace(budget, 2 * me.train_loader.num_workers, mosaic, time.monotonic())
        self.limit_validation()
        current().emit(Stage("batches"))

    def limit_validation(self) -> None:
        me: Any = self
        me.validator.dataloader = Few(me.test_loader, VAL * self.batch_pace.budget)
        me.validator.callbacks["on_val_batch_end"] = [lambda _validator: self.end_validation_batch()]

    def end_batch(self) -> None:
        """Record the end of a batch; end the measurement once there are enough.

        Raises:
            MeasurementComplete: this was the last one.
            StopRequested: the estimate is no longer wanted.
        """
        check_stop(current())
        now = time.monotonic()
        self.batch_pace.add_batch(now)
        if not self.batch_pace.enough(now):
            return
        if not self.batch_pace.mosaic:
            self.finish()
        self.leave_mosaic(now)

    def end_validation_batch(self) -> None:
        check_stop(current())
        self.validation_times.append(time.monotonic())

    def leave_mosaic(self, now: float) -> None:
        """Switch from batches with mosaic to those without."""
        me: Any = self
        me._close_dataloader_mosaic()
        me.train_loader.renew()
        current().emit(Stage("plain_batches"))
        self.batch_pace.begin_without_mosaic(now)
        self.batch_pace.begin_epoch(time.monotonic())

    def finish(self) -> None:
        """Validate, save, and stop with the measurements."""
        me: Any = self
        current().emit(Stage("validating"))
        batches, seconds = len(me.test_loader), self.validation_seconds()
        current().emit(Stage("saving"))
        began = time.monotonic()
        me.save_model()
        raise MeasurementComplete(self.figures(batches, seconds, time.monotonic() - began))

    def validation_seconds(self) -> float:
        """Seconds of a complete validation, extrapolated from a part: its batches, and the metrics after them."""
        me: Any = self
        me.ema.update_attr(me.model, include=["yaml", "nc", "args", "names", "stride", "class_weights"])
        self.limit_validation()
        self.validation_times = [time.monotonic()]
        me.metrics, me.fitness = me.validate()
        end = time.monotonic()
        took = [after - before for before, after in zip(self.validation_times, self.validation_times[1:], strict=False)]
        batches, measured = len(me.test_loader), len(took)
        rest = (end - self.validation_times[-1]) * batches / measured
        if measured == batches:
            return sum(took) + rest
        return took[0] + statistics.mean(took[1:]) * (batches - 1) + rest  # the first batch warms up

    def figures(self, val_batches: int, val_seconds: float, save_seconds: float) -> EstimateFigures:
        """The measurements. Seconds and bytes; `batch_seconds` with mosaic, `plain_batch_seconds` without."""
        me: Any = self
        accumulated = max(round(me.args.nbs / me.batch_size), 1)
        with_mosaic, without_mosaic = (self.batch_pace.batch_seconds(mosaic, accumulated) for mosaic in (True, False))
        memory, total = memory_of(me.device)
        return {
            "fits": me.batch_size == self.batch_at_start,
            "batch": me.batch_size,
            "batches": len(me.train_loader),
            "val_batches": val_batches,
            "start_seconds": self.start_seconds,
            "batch_seconds": with_mosaic or without_mosaic or self.batch_pace.warm_up or 0.0,
            "plain_batch_seconds": without_mosaic,
            "val_seconds": val_seconds,
            "save_seconds": save_seconds,
            "measured_batches": self.batch_pace.measured(),
            "parameters": sum(item.numel() for item in me.model.parameters()),
            "checkpoint_bytes": me.last.stat().st_size,
            "memory": memory,
            "memory_total": total,
            "device": device_name(me.device),
        }
