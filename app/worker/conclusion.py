"""Writes the results of a stopped run that a completed run writes after its last epoch: `evaluation/` and the plots in
the training's folder. Nothing is trained.
"""

from typing import Any

from app.core.evaluate import CONCLUDED
from app.core.train import TrainSpec
from app.events import Stage
from app.worker.channel import Channel, current
from app.worker.progress import ProgressReporter


class Conclusion:
    """Mixed into a trainer: uses its datasets, model and validator, but runs only what follows the last epoch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        me: Any = self
        super().__init__(*args, **kwargs)  # in another folder, since ultralytics starts with an empty results.csv
        me.save_dir = TrainSpec.of(current().spec).folder / "run"
        me.wdir = me.save_dir / "weights"
        me.last, me.best, me.csv = me.wdir / "last.pt", me.wdir / "best.pt", me.save_dir / "results.csv"

    def run_callbacks(self, event: str) -> None:
        """No callbacks: the supervisor must not get a training's events."""

    def plot_training_labels(self) -> None:
        """The plots exist already."""

    def _do_train(self) -> None:
        me: Any = self
        me._setup_train()
        me.epoch = 0
        progress = ProgressReporter(current(), 0, "evaluating")
        me.validator.callbacks["on_val_batch_end"] = [lambda _validator: progress.step()]
        me.final_eval()
        if me.args.plots and me.csv.exists():
            me.plot_metrics()


def conclude(channel: Channel) -> None:
    """Validate best.pt, and write the results; spec.json is that of programs/train.py."""
    from app.worker.arguments import arguments
    from app.worker.tasks import TRAINERS, trainer_key

    spec = TrainSpec.of(channel.spec)
    trainer = TRAINERS[trainer_key(spec)]
    concluding: Any = type(f"Concluding{trainer.__name__}", (Conclusion, trainer), {})
    best = spec.folder / "run" / "weights" / "best.pt"
    values = arguments(spec, str(best)) | {"project": str(channel.directory / "scratch")}
    concluding(overrides=values).train()
    channel.emit(Stage(CONCLUDED))
