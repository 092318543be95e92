"""The trainer's part that resumes from a checkpoint.

Restored: weights (the moving average, in half precision, as ultralytics saves them), optimizer, scaler, moving average,
epoch, best fitness, the patience of early stopping, the schedule, warmup and the end of mosaic by the epoch's number.
Not restored: the state of the random generators and the order of the images; both are seeded by the epoch instead, so
that later epochs do not repeat the order of the first ones.
"""

from pathlib import Path
from typing import Any

from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import init_seeds

from app.core.train import Extension, UltralyticsArguments
from app.events import Note
from app.worker.reporting import ReportingTrainer
from app.worker.resume import Best, CheckpointFile, cut_results, read_table, restore_files
from app.worker.schedule import extended, rate, weights_group


class NothingLeft(Exception):
    """All epochs are complete; only the final steps are missing."""


class ResumingTrainer(ReportingTrainer):
    """Resumes with the arguments of this training; ultralytics would use those of the file."""

    finished = False
    stopper: Any
    best_fitness: Any
    lf: Any
    scheduler: Any

    def check_resume(self, overrides: UltralyticsArguments) -> None:
        self.resume = bool(self.args.resume)

    def setup_model(self) -> Any:
        checkpoint = super().setup_model()
        if self.resume:  # before the loaders are created, which shuffle by this seed
            completed = checkpoint["epoch"] + 1
            init_seeds(self.args.seed + 1 + RANK + completed, deterministic=self.args.deterministic)
        return checkpoint

    @property
    def extension(self) -> Extension | None:
        return next(reversed(self.spec.extensions), None)

    def resume_training(self, checkpoint: Any) -> None:
        self.stopper.since = self.extension["from_epoch"] if self.extension else 0
        if not self.resume:
            return
        completed = int(checkpoint["epoch"]) + 1
        waiting = checkpoint.get("stopper") or {}
        self.stopper.__dict__.update(waiting)
        self.finished = completed >= self.epochs or self.stopper.waited(completed)
        if self.finished:
            self._load_checkpoint_state(checkpoint)
            self.start_epoch = completed
        else:
            super().resume_training(checkpoint)
        if self.channel is not None:
            self.restore(checkpoint, completed)
        if self.extension and not self.finished:
            self.lay_schedule(checkpoint, completed, self.extension)

    def restore(self, checkpoint: CheckpointFile, completed: int) -> None:
        """Restore the folder and the best epoch of that checkpoint, and emit the note about resuming."""
        self.emit(Note("resumed", {"epoch": completed}))
        best = restore_files(self.folder, Path(self.args.model), checkpoint)
        intact = str(completed) in read_table(self.csv)[1]
        self.earlier = cut_results(self.csv, completed, checkpoint.get("train_results") or {})
        if not intact and self.earlier:
            self.emit(Note("results_damaged", {}))
        self.recall_best(best)

    def recall_best(self, best: Best) -> None:
        """Emit the best checkpoint again: the previous process may have died between writing the file and its event."""
        if self.best_fitness is None or best.epoch > self.start_epoch:
            self.best_fitness = max(best.fitness, self.best_fitness or 0.0)
        self.best_epoch = best.epoch
        self.report_best(self.values(best.measures))

    def lay_schedule(self, checkpoint: CheckpointFile, completed: int, extension: Extension) -> None:
        self.lf = extended(extension, checkpoint, self.args.cos_lr, self.args.lrf)
        self.scheduler.lr_lambdas = [self.lf] * len(self.optimizer.param_groups)
        if completed <= extension["from_epoch"]:
            to = weights_group(self.optimizer.param_groups)["initial_lr"] * self.lf(completed)
            data = {"from": round(rate(checkpoint), 8), "to": round(to, 8), "epochs": self.epochs}
            self.emit(Note("schedule_stretched" if extension["schedule"] == "stretch" else "schedule_kept", data))

    def _get_warmup_iterations(self, num_batches: int) -> int:
        """Warmup is for the first epochs of a run: an extension, which could prolong it, has none."""
        if self.extension and self.start_epoch >= self.extension["from_epoch"]:
            return 0
        return super()._get_warmup_iterations(num_batches)

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Continue the time column of results.csv where the previous process ended."""
        before = max(self.earlier, default=0.0)
        self.train_time_start -= before
        try:
            super().save_metrics(metrics)
        finally:
            self.train_time_start += before

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """ultralytics never recovers in the first epoch of a process; a resumed one has a checkpoint to return to."""
        start = self.start_epoch
        try:
            self.start_epoch = -1 if self.resume else start
            recovered = super()._handle_nan_recovery(epoch)
        finally:
            self.start_epoch = start
        if recovered:
            self.emit(Note("nan_recovered", {"epoch": epoch + 1}))
        return recovered

    def _do_train(self) -> None:
        try:
            super()._do_train()
        except NothingLeft:
            self.conclude()

    def conclude(self) -> None:
        """Run the steps of ultralytics after the last epoch."""
        self.epoch = self.start_epoch - 1
        self.final_eval()
        if self.channel is not None:
            if self.args.plots:
                self.plot_metrics()
            self.run_callbacks("on_train_end")
        for loader in (self.train_loader, self.test_loader):
            loader.close()
