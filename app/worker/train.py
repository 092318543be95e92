"""Trains a model from initial weights or a checkpoint: called by programs/train.py."""

import resource

from app.core.train import TrainSpec
from app.events import Stage
from app.worker.channel import Channel
from app.worker.failures import StopRequested


def train(channel: Channel) -> None:
    """Find the checkpoint to resume from, or the initial weights, then start the trainer."""
    spec = TrainSpec.of(channel.spec)
    limit_memory(spec.memory_limit)
    channel.emit(Stage("importing"))
    from app.worker.arguments import arguments
    from app.worker.resume import find_resume
    from app.worker.tasks import TRAINERS, trainer_key  # seconds: torch, ultralytics

    private_settings()
    check_stop(channel)
    channel.emit(Stage("weights"))
    resume = find_resume(channel, spec)
    model = str(resume.path) if resume else start_model(channel, spec)
    check_stop(channel)
    TRAINERS[trainer_key(spec)](overrides=arguments(spec, model, resume)).train()


def start_model(channel: Channel, spec: TrainSpec) -> str:
    """The model of a new run: a file or the name of ultralytics' YAML."""
    from app.worker.weights import start_weights

    return start_weights(channel, spec).model


def limit_memory(size: int) -> None:
    """Limit memory: a training that needs more gets a MemoryError, or torch's own, instead of exhausting the machine.

    Private writable memory (RLIMIT_DATA), per process of the training. Not address space, of which CUDA reserves far
    more than it uses.
    """
    if size:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        size = size if most == resource.RLIM_INFINITY else min(size, most)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def check_stop(channel: Channel) -> None:
    if channel.stop_requested():
        raise StopRequested


def private_settings() -> None:
    """Disable loggers and telemetry, which ultralytics configures in YOLO_CONFIG_DIR."""
    from ultralytics import SETTINGS

    loggers = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
    settings = {"sync": False, "vscode_msg": False} | dict.fromkeys(loggers, False)
    if any(SETTINGS[key] != value for key, value in settings.items()):
        SETTINGS.update(settings)
