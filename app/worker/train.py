"""Trains one model: `python -m app.worker.train DIRECTORY`.

`spec.json` holds: training_id, training_dir, data (our dataset.yaml), task, model_version, architecture (null: YOLOv8),
start (see models/training.py; a training's checkpoint as `path`), resume (a checkpoint, or null), epochs, batch_size
(what the user asked for), batch_now (what fits), img_size, learning_rate (null: ultralytics chooses), extensions (see
services/trainer/actions.py), device ("", "cpu", "0", "0,1"), params, memory_limit (bytes, 0: none), weights_dir,
weights_url. The file `stop` says `cancel` or `pause`.
"""

import os
import sys
from pathlib import Path
from typing import Any

from app.events import Stage
from app.worker.channel import Channel, open_channel
from app.worker.failures import StopRequested
from app.worker.report import ending

ADAPTIVE = {"Adam", "Adamax", "AdamW", "NAdam", "RAdam"}


def main(directory: str) -> int:
    """Train, and end with one terminal event whatever happens. Returns the exit status."""
    channel = open_channel(directory)
    try:
        train(channel)
    except BaseException as error:  # everything must end in an event
        channel.catch_up()
        if not channel.ended:  # rank 0 of several processes may have told why already
            event = ending(error, Path(channel.spec["training_dir"]))
            channel.say(event)
            print(getattr(event, "traceback", "") or "stopped as asked", file=sys.stderr)
        return 0 if isinstance(error, StopRequested) else 1
    return 0


def train(channel: Channel) -> None:
    """Find the start weights, then hand over to the trainer."""
    spec = channel.spec
    channel.say(Stage("importing"))
    from app.worker.tasks import TRAINERS  # seconds: torch, ultralytics

    private_settings()
    check_stop(channel)
    channel.say(Stage("weights"))
    from app.worker.weights import start_weights

    start = start_weights(channel, spec["model_version"], Path(spec["weights_dir"]), spec["weights_url"])
    check_stop(channel)
    TRAINERS[spec["task"]](overrides=arguments(spec, start.model)).train()


def check_stop(channel: Channel) -> None:
    if channel.stop_requested():
        raise StopRequested


def private_settings() -> None:
    """No loggers, no statistics sent: ultralytics keeps this in YOLO_CONFIG_DIR."""
    from ultralytics import SETTINGS

    loggers = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
    wanted = {"sync": False, "vscode_msg": False} | dict.fromkeys(loggers, False)
    if any(SETTINGS[key] != value for key, value in wanted.items()):
        SETTINGS.update(wanted)


def arguments(spec: dict[str, Any], model: str) -> dict[str, Any]:
    """What ultralytics is called with. `params` were checked by the web process against an allow-list."""
    given = dict(spec["params"])
    values = {
        "task": spec["task"],
        "mode": "train",
        "model": model,
        "data": spec["data"],
        "epochs": spec["epochs"],
        "batch": spec["batch_size"],
        "imgsz": spec["img_size"],
        "project": spec["training_dir"],
        "name": "run",
        "exist_ok": True,
        "device": spec["device"] or None,
        "workers": min(8, len(os.sched_getaffinity(0))),  # cpu_count() ignores a container's limit
    }
    if spec["learning_rate"] is not None:
        values["lr0"] = spec["learning_rate"]
    if given.get("optimizer") in ADAPTIVE:
        values["warmup_bias_lr"] = 0.0  # as ultralytics does for the AdamW that it chooses; 0.1 is meant for SGD
    values["amp"] = precision(given.pop("amp", True), spec["device"])
    return values | given


def precision(wanted: bool, device: str) -> bool | str:
    """bfloat16 where the GPU has it: it needs no loss scaling, and ultralytics then fetches no weights to try it."""
    import torch

    if not wanted or device == "cpu" or not torch.cuda.is_available():
        return wanted
    return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
