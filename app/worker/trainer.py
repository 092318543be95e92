"""The trainer: ultralytics' own, which reports to the supervisor and stops on request."""

import time
from typing import Any

from ultralytics.utils import DEFAULT_CFG, RANK

from app.core.files import sync_and_replace
from app.core.train import UltralyticsArguments
from app.events import Stage
from app.worker import channel, upstream
from app.worker.failures import StopRequested, raise_data_error
from app.worker.portable import portable_arguments
from app.worker.report import ending, write_failure
from app.worker.resuming import NothingLeft, ResumingTrainer
from app.worker.validation import ValidationTrainer

# pretend that ultralytics has halved the batch this often, which it does in the first epoch only; our supervisor does
# it in any
ENOUGH = 3


class EventTrainer(ValidationTrainer, ResumingTrainer):
    """Mixed into the trainer of each task (tasks.py)."""

    def __init__(
        self, cfg: Any = DEFAULT_CFG, overrides: UltralyticsArguments | None = None, _callbacks: Any = None
    ) -> None:
        super().__init__(cfg, overrides, _callbacks)
        self.hooks = {
            "on_train_start": self.on_start,
            "on_train_epoch_start": self.before_epoch,
            "on_train_batch_start": self.on_batch,
            "on_train_batch_end": self.on_batch_end,
            "on_train_epoch_end": self.on_batches_end,
            "on_model_save": self.on_saved,
            "on_train_end": self.report_end,
        }

    # Called by ultralytics.

    def run_callbacks(self, event: str) -> None:
        """Our own hooks, without the loggers that ultralytics would add."""
        if event == "on_train_start" and self.finished:
            raise NothingLeft
        if event == "on_train_epoch_start":
            self._oom_retries = ENOUGH
        if self.channel is not None and event in self.hooks:
            self.hooks[event]()

    def train(self) -> None:
        try:
            super().train()
        except BaseException as error:  # with several processes, the launcher sees only an exit status
            if RANK == 0 and self.channel is not None:
                self.channel.emit(ending(error, self.channel))
            elif RANK > 0:
                write_failure(error, channel.folder(), RANK)
            raise

    def get_dataset(self) -> Any:
        self.emit(Stage("dataset"))
        try:
            return super().get_dataset()
        except Exception as error:
            raise_data_error(error)

    def setup_model(self) -> Any:
        self.emit(Stage("model"))
        return super().setup_model()

    def get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        self.stop_if_requested()
        try:
            return super().get_dataloader(*args, **kwargs)
        except Exception as error:
            raise_data_error(error)

    def get_validator(self) -> Any:
        validator = super().get_validator()
        validator.callbacks["on_val_batch_start"] = [lambda _validator: self.on_validation_batch()]
        return validator

    def validate(self) -> Any:
        start = time.monotonic()
        try:
            return super().validate()
        finally:
            self.validating_s = time.monotonic() - start

    def save_model(self) -> bool:
        """Write both weights files atomically: ultralytics would overwrite them in place."""
        if self.channel is not None:
            self.channel.end_if_superseded()
        last, best = self.last, self.best
        self.last, self.best = (path.with_name(f".{path.name}.tmp") for path in (last, best))
        try:
            with portable_arguments(self):
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
        self.begin_stage("saving")
        super().final_eval()

    # Our hooks.

    def stop_if_requested(self) -> None:
        if self.channel is None or not self.channel.stop_requested():
            return
        if self.batch and self.channel.requested_stop() == "cancel" and not self.last.exists():
            self.save_beginning()
        raise StopRequested

    def on_start(self) -> None:
        self.report_start()
        self.prepare_previews()

    def on_saved(self) -> None:
        self.after_save()
        self.thin_previews()

    def on_batch(self) -> None:
        self.before_batch()
        self.stop_if_requested()

    def on_batch_end(self) -> None:
        self.after_batch()
        self.stop_if_requested()

    def on_batches_end(self) -> None:
        self.after_batches()

    def on_validation_batch(self) -> None:
        self.before_validation_batch()
        self.stop_if_requested()

    def save_beginning(self) -> None:
        """Save in the first epoch: the weights so far are better than nothing, but no run can resume from them."""
        self.save_model()
        for path in (self.last, self.best):
            upstream.strip(path)
