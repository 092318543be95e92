"""Evaluates the best weights of a run that was stopped: `python -m app.worker.evaluate_best DIRECTORY`.

`spec.json` is that of app/worker/train.py. What a completed run leaves is left here, too: `evaluation/` and the plots
in the training's folder. Nothing is trained and nothing is told: the run has ended.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

from app.worker.channel import Channel, current, open_channel


class Conclusion:
    """Mixed into a trainer: its datasets, model and validator, and only what comes behind the last epoch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        me: Any = self
        super().__init__(*args, **kwargs)  # in a folder of its own: ultralytics begins with an empty results.csv
        me.save_dir = Path(current().spec["training_dir"]) / "run"
        me.wdir = me.save_dir / "weights"
        me.last, me.best, me.csv = me.wdir / "last.pt", me.wdir / "best.pt", me.save_dir / "results.csv"

    def run_callbacks(self, event: str) -> None:
        """The supervisor hears nothing any more."""

    def plot_training_labels(self) -> None:
        """They are there already."""

    def _do_train(self) -> None:
        me: Any = self
        me._setup_train()
        me.epoch = 0
        me.final_eval()
        if me.args.plots and me.csv.exists():
            me.plot_metrics()


def evaluate(channel: Channel) -> None:
    """Validate best.pt, and write down what follows."""
    from app.worker.arguments import arguments
    from app.worker.tasks import TRAINERS, trainer_key
    from app.worker.train import limit_memory, private_settings

    spec = channel.spec
    limit_memory(spec["memory_limit"])
    private_settings()
    trainer = TRAINERS[trainer_key(spec)]
    concluding: Any = type(f"Concluding{trainer.__name__}", (Conclusion, trainer), {})
    best = Path(spec["training_dir"]) / "run" / "weights" / "best.pt"
    values = arguments(spec, str(best)) | {"project": str(channel.directory / "scratch")}
    concluding(overrides=values).train()


def main(directory: str) -> None:
    os.nice(5)  # what trains comes first
    try:
        evaluate(open_channel(directory))
    except BaseException:
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)
    os._exit(0)  # nothing that helpers still do is of interest


if __name__ == "__main__":
    main(sys.argv[1])
