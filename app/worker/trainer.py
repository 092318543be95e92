"""The trainer: ultralytics' own, which tells the supervisor what happens and stops when asked to.

Everything is said from methods of this class. In multi-GPU training ultralytics starts new processes from the class
alone: callbacks added to an object would be lost there.
"""

import os
import re
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
import torch
from ultralytics.engine import trainer as engine
from ultralytics.utils import DEFAULT_CFG, RANK, plotting, torch_utils

from app.events import KEPT_CHECKPOINTS, CheckpointSaved, Completed, Epoch, Event, Note, Progress, Stage, Started
from app.worker.channel import Channel, current
from app.worker.failures import DataError, StopRequested, chain, kind_of, sentence
from app.worker.files import put, sync_and_replace
from app.worker.report import ending, gpu_name, versions, write_config

PROGRESS_S = 0.25
RECENT = 9  # epochs that the remaining time is judged by
WITHOUT_HALF = re.compile(r"(geforce|quadro|tesla).*?(1660|1650|1630|t400|t550|t600|t1000|t1200|t2000|k40m)", re.I)


def half_works(model: torch.nn.Module) -> bool:
    """Whether this device computes in half precision. ultralytics' own check would fetch weights to find out."""
    device = next(model.parameters()).device
    return device.type == "cuda" and not WITHOUT_HALF.search(torch.cuda.get_device_name(device))


def local_font(_name: str = "") -> str:
    """A font that is here already and has letters of most languages; ultralytics would fetch one."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


engine.check_amp = half_works
plotting.check_font = local_font
# ultralytics leaves a core idle, which on two cores is half of them.
torch_utils.NUM_THREADS = len(os.sched_getaffinity(0))


class EventTrainer(engine.BaseTrainer):
    """Mixed into the trainer of each task (tasks.py). Only one process speaks: the single one, or rank 0 of several."""

    measures: ClassVar[dict[str, str]] = {}  # our names of the metrics: ultralytics' keys behind "metrics/"

    # ultralytics fills these in on the way and declares them as None.
    model: Any
    optimizer: Any
    metrics: Any
    tloss: Any

    def __init__(self, cfg: Any = DEFAULT_CFG, overrides: dict[str, Any] | None = None, _callbacks: Any = None) -> None:
        self.channel: Channel | None = current() if RANK in {-1, 0} else None
        self.folder = Path(current().spec["training_dir"]) if self.channel else Path()
        self.hooks = {
            "on_train_start": self.tell_start,
            "on_train_epoch_start": self.look_for_changes,
            "on_train_batch_start": self.stop_if_asked,
            "on_train_batch_end": self.after_batch,
            "on_train_epoch_end": lambda: self.say(Stage("validating")),
            "on_model_save": self.after_save,
            "on_train_end": self.tell_end,
        }
        self.durations: list[float] = []
        self.batch = 0
        self.told_at = 0.0
        self.told_batch_size = 0
        self.best_epoch = 0
        super().__init__(cfg, overrides, _callbacks)

    # What ultralytics calls.

    def run_callbacks(self, event: str) -> None:
        """Our own hooks; none of the loggers that ultralytics would add."""
        if self.channel is not None and event in self.hooks:
            self.hooks[event]()

    def train(self) -> None:
        try:
            super().train()
        except BaseException as error:
            if RANK == 0 and self.channel is not None:  # the launching process sees only an exit status
                self.channel.say(ending(error, self.folder))
            raise

    def get_dataset(self) -> Any:
        self.say(Stage("dataset"))
        try:
            return super().get_dataset()
        except Exception as error:
            raise_data_error(error)

    def setup_model(self) -> Any:
        self.say(Stage("model"))
        return super().setup_model()

    def get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        self.stop_if_asked()
        try:
            return super().get_dataloader(*args, **kwargs)
        except Exception as error:
            raise_data_error(error)

    def get_validator(self) -> Any:
        validator = super().get_validator()
        validator.callbacks["on_val_batch_start"] = [lambda _validator: self.stop_if_asked()]
        return validator

    def save_model(self) -> bool:
        """Both weights files at once or not at all: ultralytics would overwrite them in place."""
        last, best = self.last, self.best
        self.last, self.best = (path.with_name(f".{path.name}.tmp") for path in (last, best))
        try:
            super().save_model()
            for draft, path in ((self.last, last), (self.best, best)):
                if draft.exists():
                    sync_and_replace(draft, path)
        finally:
            self.last.unlink(missing_ok=True)
            self.best.unlink(missing_ok=True)
            self.last, self.best = last, best
        return True

    def final_eval(self) -> None:
        self.say(Stage("saving"))
        super().final_eval()

    def _handle_nan_recovery(self, epoch: int) -> bool:
        recovered = super()._handle_nan_recovery(epoch)
        if recovered:
            self.say(Note("nan_recovered", {"epoch": epoch + 1}))
        return recovered

    # What is said.

    def say(self, event: Event) -> None:
        if self.channel is not None:
            self.channel.say(event)

    def stop_if_asked(self) -> None:
        if self.channel is not None and self.channel.stop_requested():
            raise StopRequested

    def tell_start(self) -> None:
        self.told_batch_size = self.batch_size
        name, rate = type(self.optimizer).__name__, self.args.lr0
        asked = current().spec["params"].get("optimizer", "auto")
        code = "optimizer_auto" if asked == "auto" else "optimizer_set"
        self.say(Note(code, {"name": name, "learning_rate": rate}))
        started = Started(
            device=gpu_name(self.device, max(self.world_size, 1)),
            weights="official" if str(self.args.model).endswith(".pt") else "scratch",
            epochs=self.epochs,
            batches=len(self.train_loader),
            train_images=len(self.train_loader.dataset),
            val_images=len(self.test_loader.dataset),
            parameters=sum(item.numel() for item in self.model.parameters()),
            optimizer=name,
            arguments=plain(vars(self.args)),
            versions=versions(),
        )
        write_config(self.folder / "config.yaml", started, current().spec)
        self.say(started)

    def look_for_changes(self) -> None:
        """ultralytics halves the batch when memory runs out in the first epoch, and starts that epoch again."""
        self.batch = 0
        if self.batch_size != self.told_batch_size:
            self.told_batch_size = self.batch_size
            self.say(Note("batch_reduced", {"batch": self.batch_size}))

    def after_batch(self) -> None:
        self.batch += 1
        batches = len(self.train_loader)
        now = time.monotonic()
        if now - self.told_at >= PROGRESS_S or self.batch == batches:
            self.told_at = now
            parts = self.train_parts()
            eta = self.remaining(self.epochs - self.epoch - self.batch / batches)
            self.say(Progress(self.epoch + 1, self.batch, batches, total(parts), parts, eta))
        if self.channel is not None and self.channel.stop_requested():
            if not self.last.exists():  # the first epoch: what was learned so far is better than nothing
                self.save_model()
            raise StopRequested

    def train_parts(self) -> dict[str, float]:
        return self.label_loss_items(self.tloss, prefix="train") if self.tloss else {}

    def remaining(self, epochs: float) -> float | None:
        """Seconds for so many epochs, by the median of the recent ones; by the batches in the first one."""
        if self.durations:
            recent = self.durations[1:][-RECENT:] or self.durations  # the first also warms caches up
            return round(statistics.median(recent) * epochs, 1)
        done = self.batch / len(self.train_loader)
        if done < 0.1:
            return None
        return round((time.time() - self.epoch_time_start) / done * epochs, 1)

    def after_save(self) -> None:
        """An epoch is recorded before its checkpoint can be resumed from: none is lost, none comes twice."""
        metrics = self.values()
        seconds = time.time() - self.epoch_time_start
        self.durations.append(seconds)
        parts = self.train_parts() | {key: number(value) for key, value in self.metrics.items() if key[:4] == "val/"}
        left = 0 if self.stop else self.epochs - self.epoch - 1
        self.say(
            Epoch(
                epoch=self.epoch + 1,
                epochs=self.epochs,
                loss=total({key: value for key, value in parts.items() if key.startswith("train/")}),
                val_loss=total({key: value for key, value in parts.items() if key.startswith("val/")}),
                learning_rate=self.learning_rate(),
                parts=parts,
                seconds=round(seconds, 3),
                eta=self.remaining(left) or 0.0,
                precision=metrics["precision"],
                recall=metrics["recall"],
                map50=metrics["map50"],
                map95=metrics["map95"],
            )
        )
        self.keep_copy(metrics)

    def keep_copy(self, metrics: dict[str, float | None]) -> None:
        """Copies, not links: at the end ultralytics rewrites its own files without what resuming needs."""
        epoch = self.epoch + 1
        copy = self.folder / "checkpoints" / f"epoch-{epoch}.pt"
        put(copy, lambda draft: shutil.copyfile(self.last, draft))
        (copy.parent / f"epoch-{epoch - KEPT_CHECKPOINTS}.pt").unlink(missing_ok=True)
        self.say(CheckpointSaved(epoch, f"checkpoints/{copy.name}", False, metrics))
        if self.best_fitness == self.fitness:
            self.best_epoch = epoch
            self.say(CheckpointSaved(epoch, "run/weights/best.pt", True, metrics))

    def learning_rate(self) -> float:
        """Of the weights with decay; biases and norms have groups of their own."""
        groups = [item for item in self.optimizer.param_groups if item.get("param_group") in {"weight", "muon"}]
        return float((groups or self.optimizer.param_groups)[0]["lr"])

    def values(self) -> dict[str, float | None]:
        return {name: number(self.metrics.get(f"metrics/{key}")) for name, key in self.measures.items()}

    def tell_end(self) -> None:
        self.say(
            Completed(
                model_path=os.path.relpath(self.best if self.best.exists() else self.last, self.folder),
                epochs=self.epoch + 1,
                best_epoch=self.best_epoch,
                metrics=self.values(),  # of the best weights: they were validated last
                seconds=round(time.time() - self.train_time_start, 3),
            )
        )


def raise_data_error(error: Exception) -> None:
    """As a fault of the dataset, unless memory or the disk gave out."""
    if isinstance(error, StopRequested) or kind_of(error) in {"out_of_memory", "disk_full"}:
        raise error
    innermost = list(chain(error))[1:2] or [error]  # ultralytics wraps the reason once
    raise DataError(sentence(innermost[0])) from error


def number(value: Any) -> float | None:
    return None if value is None else float(value)


def total(parts: dict[str, Any]) -> float | None:
    values = [value for value in parts.values() if value is not None]
    return sum(values) if values else None


def plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as JSON can hold them."""
    simple = (str, int, float, bool, type(None), list)
    return {key: value if isinstance(value, simple) else str(value) for key, value in arguments.items()}
