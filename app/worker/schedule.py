"""The learning rate over the epochs of an extended run. Factors of the initial rate, by epoch from 0."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.lr_schedule import Factor, schedule
from app.core.train import Extension
from app.worker.resume import CheckpointFile

ParameterGroup = Mapping[str, Any]  # of torch's optimizers, whatever theirs are


def extended(extension: Extension, checkpoint: CheckpointFile, cosine: bool, last: float) -> Factor:
    """The schedule of a run's last extension.

    "stretch" distributes the schedule over the new number of epochs; "keep" stays at the rate of the last epoch before
    the extension. If that epoch is repeated, because its checkpoint was damaged, the old schedule is completed first.
    """
    if extension["schedule"] == "stretch":
        return schedule(cosine, last, extension["epochs"])
    if checkpoint["epoch"] + 1 >= extension["from_epoch"]:
        share = rate(checkpoint) / weights_group(checkpoint["optimizer"]["param_groups"])["initial_lr"]
        return lambda _epoch: share
    before = schedule(cosine, last, checkpoint["train_args"]["epochs"])
    return lambda epoch: before(min(epoch, extension["from_epoch"] - 1))


def rate(checkpoint: CheckpointFile) -> float:
    """The learning rate in a checkpoint."""
    return float(weights_group(checkpoint["optimizer"]["param_groups"])["lr"])


def weights_group(groups: Sequence[ParameterGroup]) -> ParameterGroup:
    """The optimizer's group of the weights with decay; biases and norms are in other groups."""
    return next((group for group in groups if group.get("param_group") in {"weight", "muon"}), groups[0])
