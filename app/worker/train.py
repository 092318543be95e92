"""Trains one model: `python -m app.worker.train DIRECTORY`.

`spec.json` holds: training_id, training_dir, data (our dataset.yaml), task, model_version, architecture (null: YOLOv8),
start (see models/training.py; a training's checkpoint as `path`), resume (a checkpoint, or null), epochs, batch_size
(what the user asked for), batch_now (what fits), img_size, learning_rate (null: ultralytics chooses), extensions (see
services/trainer/actions.py), device ("", "cpu", "0", "0,1"), params, memory_limit (bytes, 0: none), weights_dir,
weights_url. The file `stop` says `cancel` or `pause`.
"""

import resource
import sys

from app.events import Stage
from app.worker.channel import Channel, open_channel
from app.worker.failures import StopRequested
from app.worker.report import ending


def main(directory: str) -> int:
    """Train, and end with one terminal event whatever happens. Returns the exit status."""
    channel = open_channel(directory)
    try:
        train(channel)
    except BaseException as error:  # everything must end in an event
        channel.catch_up()
        if not channel.ended:  # rank 0 of several processes may have told why already
            event = ending(error, channel)
            channel.say(event)
            print(getattr(event, "traceback", "") or "stopped as asked", file=sys.stderr)
        return 0 if isinstance(error, StopRequested) else 1
    return 0


def train(channel: Channel) -> None:
    """Find the checkpoint to go on from, or the start weights, then hand over to the trainer."""
    spec = channel.spec
    limit_memory(spec["memory_limit"])
    channel.say(Stage("importing"))
    from app.worker.arguments import arguments
    from app.worker.resume import find_resume
    from app.worker.tasks import trainer_of  # seconds: torch, ultralytics

    private_settings()
    check_stop(channel)
    channel.say(Stage("weights"))
    resume = find_resume(channel)
    model = str(resume.path) if resume else start_model(channel)
    check_stop(channel)
    trainer_of(spec)(overrides=arguments(spec, model, resume)).train()


def start_model(channel: Channel) -> str:
    """What a new run starts from: a file or the name of ultralytics' own YAML."""
    from app.worker.weights import start_weights

    return start_weights(channel, channel.spec).model


def limit_memory(size: int) -> None:
    """A training that asks for more gets a MemoryError, or torch's own, instead of taking the machine down.

    Of private memory that can be written (RLIMIT_DATA), each process of the training for itself. Not of addresses:
    CUDA reserves far more of them than it uses.
    """
    if size:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        size = size if most == resource.RLIM_INFINITY else min(size, most)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
