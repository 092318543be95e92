"""The trainer's part that reports progress, epochs and checkpoints.

All events are emitted from methods of the class: in multi-GPU training, ultralytics starts new processes from the class
alone, without callbacks added to an object. Only one process emits events: the single one, or rank 0 of several.
"""

import importlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ultralytics.engine import trainer as engine
from ultralytics.utils import DEFAULT_CFG, RANK

from app.core.train import TrainSpec, UltralyticsArguments
from app.events import CheckpointSaved, Completed, Epoch, Event, Note, Progress, Stage, Started
from app.worker import channel
from app.worker.checkpoints import periodic, save_checkpoint, start_over
from app.worker.eta import Contention, TrainingPace
from app.worker.figures import Gauge, visible, watch
from app.worker.measures import by_class
from app.worker.report import gpu_name, versions, weights_kind, write_config
from app.worker.revision import dataset_revision
from app.worker.schedule import ParameterGroup, weights_group

PROGRESS_S = 0.25
VALIDATION_S = 1.0  # between two reports of a validation's remaining time


class ReportingTrainer(engine.BaseTrainer):
    """Emits events; changes nothing."""

    measures: ClassVar[dict[str, str]] = {}  # our names of the metrics: ultralytics' keys after "metrics/"
    metric_prefixes: ClassVar[tuple[str, ...]] = ("val/",)  # ultralytics' metrics among an epoch's parts, by prefix

    # ultralytics declares these as None and sets them later.
    model: Any
    optimizer: Any
    metrics: Any
    tloss: Any
    loss_items: Any
    validator: Any

    def __init__(
        self, cfg: Any = DEFAULT_CFG, overrides: UltralyticsArguments | None = None, _callbacks: Any = None
    ) -> None:
        self.channel = channel.current() if RANK in {-1, 0} else None
        self.spec = TrainSpec.of(channel.read_spec(channel.folder()))
        self.folder = self.spec.folder
        self.hooks: dict[str, Callable[[], Any]] = {}
        self.pace: TrainingPace | None = None
        self.contention = Contention()
        self.batch = self.best_epoch = 0
        self.batch_marked = 0.0
        self.earlier: Sequence[float] = ()  # end times of the previous epochs, in seconds of the run
        self.drawing: float | None = None  # CPU seconds of the labels' plot
        self.reported_at = self.marked = self.epoch_marked = 0.0
        self.loading = self.training_s = self.validating_s = 0.0
        self.stage, self.stage_began = "", 0.0  # after the batches of an epoch
        self.validated, self.validated_s = 0, 0.0  # batches of the present validation, and their seconds
        self.ended = threading.Event()
        super().__init__(cfg, overrides, _callbacks)

    def emit(self, event: Event) -> None:
        if self.channel is not None:
            self.channel.emit(event)

    # The run.

    def plot_training_labels(self) -> None:
        """Measured at the start; the plots at the end take time in proportion to it, except for the first import."""
        for module in ("matplotlib.pyplot", "polars"):
            importlib.import_module(module)
        start = time.thread_time()
        super().plot_training_labels()
        self.drawing = time.thread_time() - start

    def report_start(self) -> None:
        name, requested = type(self.optimizer).__name__, self.spec.params.get("optimizer", "auto")
        if not self.resume:
            start_over(self.folder)
            code = "optimizer_auto" if requested == "auto" else "optimizer_set"
            self.emit(Note(code, {"name": name, "learning_rate": self.args.lr0}))
        started = Started(
            device=gpu_name(self.device, max(self.world_size, 1)),
            weights=weights_kind(self.spec, str(self.args.model), self.folder),
            epochs=self.epochs,
            batches=len(self.train_loader),
            train_images=len(self.train_loader.dataset),
            val_images=len(self.test_loader.dataset),
            parameters=sum(item.numel() for item in self.model.parameters()),
            optimizer=name,
            arguments=json_arguments(vars(self.args)),
            versions=versions(),
            start_epoch=self.start_epoch + 1,
            task=str(self.args.task),
            model=self.source(),
            dataset_revision=dataset_revision(Path(self.spec.data)),
            drawing=round(self.drawing, 3) if self.drawing is not None and self.args.plots else None,
        )
        write_config(self.folder / "config.yaml", started, self.spec)
        self.emit(started)
        self.start_clocks()

    def source(self) -> str:
        """The origin of the model, without paths of this machine."""
        path = Path(str(self.args.model))
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name

    def start_clocks(self) -> None:
        self.pace = TrainingPace(
            self.epochs,
            len(self.train_loader),
            self.epochs - self.args.close_mosaic + 1,
            len(self.test_loader.dataset) / max(1, len(self.train_loader.dataset)),
            [late - early for early, late in zip([0.0, *self.earlier], self.earlier, strict=False)],
            self.train_loader.num_workers,
            self.drawing if self.args.plots else None,  # without plots, drawing does not indicate the time at the end
        )
        self.epoch_marked = time.monotonic()
        devices = list(range(self.world_size)) if self.world_size > 1 else [self.device.index or 0]
        root = int(os.environ.get(channel.ROOT, os.getpid()))
        watch(Gauge(root, visible(self.device.type, devices)), self.emit)

    def report_end(self) -> None:
        self.ended.set()
        best = self.best if self.best.exists() else self.last
        metrics = self.values(self.metrics)  # of the best weights, which were validated last
        path = best.relative_to(self.folder).as_posix()
        self.emit(CheckpointSaved(self.best_epoch, path, True, metrics, resumable=False, size=best.stat().st_size))
        seconds = time.time() - self.train_time_start + max(self.earlier, default=0.0)
        self.emit(Completed(path, self.epoch + 1, self.best_epoch, metrics, round(seconds, 3)))

    # Batches: no code here may take more than microseconds.

    def before_epoch(self) -> None:
        self.batch = 0
        self.loading = self.validating_s = 0.0
        self.marked = self.batch_marked = self.training_s = time.monotonic()

    def before_batch(self) -> None:
        self.loading += time.monotonic() - self.marked

    def after_batch(self) -> None:
        self.batch += 1
        now = self.marked = time.monotonic()
        if self.pace is not None:
            self.pace.add_batch(self.epoch + 1, now - self.batch_marked)
        self.batch_marked = now
        batches = len(self.train_loader)
        if now - self.reported_at >= PROGRESS_S or self.batch == batches:
            self.reported_at = now
            parts = self.batch_parts()
            self.emit(Progress(self.epoch + 1, self.batch, batches, total(parts), parts, self.eta()))

    def eta(self) -> float | None:
        """Seconds until the end of the run, within an epoch."""
        remaining = self.pace.remaining_within(self.epoch, self.batch) if self.pace is not None else None
        return None if remaining is None else round(remaining, 1)

    def batch_parts(self) -> dict[str, float]:
        """The loss of the last batch alone: `tloss` is the mean of the epoch so far."""
        return self.label_loss_items(self.loss_items, prefix="train") if self.loss_items else {}

    def after_batches(self) -> None:
        self.training_s = time.monotonic() - self.training_s
        self.begin_stage("validating")

    # After the batches.

    def begin_stage(self, name: str) -> None:
        """`validating` or, after the last epoch, `saving`, which validates the best weights."""
        self.stage, self.stage_began, self.validated = name, time.monotonic(), 0
        self.validated_s = 0.0
        self.report_stage()
        if name == "saving" and self.channel is not None:
            threading.Thread(target=self.count_down, name="ending", daemon=True).start()

    def count_down(self) -> None:
        """Report the remaining time periodically: metrics and plots after the last validation's batches may take as
        long as an epoch, and have no hook.
        """
        while not self.ended.wait(VALIDATION_S):
            self.report_stage()

    def report_stage(self) -> None:
        """Report the remaining time: a validation may take as long as an epoch."""
        self.reported_at = time.monotonic()
        past, remaining = self.reported_at - self.stage_began, None
        share = max(0, self.validated - 1) / len(self.test_loader)  # the last batch may not be complete
        if self.pace is not None and self.stage == "validating":
            remaining = self.pace.remaining_within(self.epoch, self.batch, past, share, self.validated_s)
        elif self.pace is not None:
            remaining = self.pace.remaining_at_end(past, share, self.validated_s)
        self.emit(Stage(self.stage, None if remaining is None else round(remaining, 1)))

    def before_validation_batch(self) -> None:
        self.validated_s = time.monotonic() - self.stage_began
        self.validated += 1
        if self.pace is not None and time.monotonic() - self.reported_at >= VALIDATION_S:
            self.report_stage()

    def train_parts(self) -> dict[str, float]:
        return self.label_loss_items(self.tloss, prefix="train") if self.tloss else {}

    # Epochs.

    def after_save(self) -> None:
        """Record an epoch before its checkpoint can be resumed from, so that none is lost or repeated."""
        metrics = self.values(self.metrics)
        parts = self.train_parts() | {
            key: number(value) for key, value in self.metrics.items() if key.startswith(self.metric_prefixes)
        }
        parts |= rates(self.optimizer.param_groups)
        seconds = self.epoch_seconds()
        self.emit(
            Epoch(
                epoch=self.epoch + 1,
                epochs=self.epochs,
                loss=total({key: value for key, value in parts.items() if key.startswith("train/")}),
                val_loss=total({key: value for key, value in parts.items() if key.startswith("val/")}),
                learning_rate=float(weights_group(self.optimizer.param_groups)["lr"]),
                parts=parts,
                seconds=round(seconds, 3),
                eta=self.eta_after(),
                fitness=number(self.fitness),
                timing=self.timing(),
                classes=by_class(self.validator, self.measures.get("map50", "")) if self.validating_s else [],
                **metrics,
            )
        )
        self.store_checkpoint(metrics)

    def epoch_seconds(self) -> float:
        """From the previous epoch's end to here, including the copy of its checkpoint, so that the sum is the run's."""
        now = time.monotonic()
        seconds, self.epoch_marked = now - self.epoch_marked, now
        if self.pace is not None:
            rest, contention = seconds - self.training_s, self.contention.measure(seconds)
            self.pace.add_epoch(self.epoch + 1, self.training_s, rest, self.validating_s, contention)
        return seconds

    def eta_after(self) -> float:
        completed = (
            self.epochs if self.stop else self.epoch + 1
        )  # a run that stops early still validates its best weights
        remaining = self.pace.remaining(completed) if self.pace is not None else None
        return round(remaining or 0.0, 1)

    def timing(self) -> dict[str, float]:
        """Seconds: waiting for images, everything else of the batches, validation."""
        times = {"load": self.loading, "train": self.training_s - self.loading, "val": self.validating_s}
        return {name: round(seconds, 3) for name, seconds in times.items()}

    def store_checkpoint(self, metrics: dict[str, float | None]) -> None:
        epoch, period = self.epoch + 1, int(self.spec.params.get("save_period", -1))
        copy = save_checkpoint(self.folder, epoch, self.last, period)
        path, size = f"checkpoints/{copy.name}", copy.stat().st_size
        self.emit(CheckpointSaved(epoch, path, False, metrics, periodic=periodic(epoch, period), size=size))
        if self.best_fitness == self.fitness:
            self.best_epoch = epoch
            self.report_best(metrics)

    def report_best(self, metrics: dict[str, float | None]) -> None:
        """best.pt is not resumable: at the end, its optimizer is removed."""
        size = self.best.stat().st_size
        self.emit(CheckpointSaved(self.best_epoch, "run/weights/best.pt", True, metrics, resumable=False, size=size))

    def values(self, metrics: Mapping[str, float | None]) -> dict[str, float | None]:
        return {name: number(metrics.get(f"metrics/{key}")) for name, key in self.measures.items()}


def rates(groups: Sequence[ParameterGroup]) -> dict[str, float]:
    """The learning rate of each of the optimizer's groups, if they differ, as during warmup."""
    if len({float(group["lr"]) for group in groups}) < 2:
        return {}
    return {f"lr/{group.get('param_group') or f'pg{index}'}": float(group["lr"]) for index, group in enumerate(groups)}


def number(value: Any) -> float | None:
    return None if value is None else float(value)


def total(parts: Mapping[str, float | None]) -> float | None:
    values = [value for value in parts.values() if value is not None]
    return sum(values) if values else None


def json_arguments(arguments: UltralyticsArguments) -> UltralyticsArguments:
    """The arguments as JSON values."""
    simple = (str, int, float, bool, type(None), list)
    return {key: value if isinstance(value, simple) else str(value) for key, value in arguments.items()}
