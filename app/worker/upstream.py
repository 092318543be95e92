"""Patches ultralytics, once in every process that trains."""

import re
from pathlib import Path
from typing import Any

import matplotlib
import torch
from ultralytics.engine import trainer as engine
from ultralytics.utils import plotting, torch_utils
from ultralytics.utils.dist import find_free_network_port
from ultralytics.utils.patches import torch_load

from app.core.files import sync_and_replace
from app.worker.rank import launch_command
from app.worker.resume import CheckpointFile
from app.worker.suppression import suppress_every_image
from app.worker.threads import use_every_core

WITHOUT_HALF = re.compile(r"(geforce|quadro|tesla).*?(1660|1650|1630|t400|t550|t600|t1000|t1200|t2000|k40m)", re.I)


def half_works(model: torch.nn.Module) -> bool:
    """Whether this device computes in half precision. ultralytics' own check would download weights."""
    device = next(model.parameters()).device
    return device.type == "cuda" and not WITHOUT_HALF.search(torch.cuda.get_device_name(device))


def local_font(_name: str = "") -> str:
    """A local font with letters of most languages; ultralytics would download one."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def strip(path: str | Path, target: str = "", updates: dict[str, Any] | None = None) -> dict[str, Any]:
    """Strip as ultralytics does, but replace the file atomically, and preserve its epoch (from 0) as
    `trained_epoch`.
    """
    destination = Path(target or path)
    draft = destination.with_name(f".{destination.name}.tmp")
    try:
        more = (updates or {}) | {"trained_epoch": trained_epoch(torch_load(path, map_location="cpu"))}
        stripped = torch_utils.strip_optimizer(path, str(draft), more)
        if draft.exists():
            sync_and_replace(draft, destination)
        return stripped
    finally:
        draft.unlink(missing_ok=True)


def trained_epoch(checkpoint: CheckpointFile) -> int | None:
    """The epoch, from 0, of these weights; None if a stripped file has none."""
    epoch = checkpoint.get("epoch")
    return checkpoint.get("trained_epoch") if epoch is None or epoch < 0 else int(epoch)


class Patience(torch_utils.EarlyStopping):
    """Early stopping that counts again from epoch `since` on, at which an extension began; the best epoch is
    preserved.
    """

    since = 0

    def waited(self, epoch: int) -> bool:
        """Whether the patience is exhausted after so many epochs."""
        return epoch - max(self.best_epoch, self.since) >= self.patience

    def __call__(self, epoch: int, fitness: float | None) -> bool:
        patience = self.patience
        self.patience += max(0, self.since - self.best_epoch)
        try:
            return bool(super().__call__(epoch, fitness))
        finally:
            self.patience = patience


def several_processes(trainer: Any) -> tuple[list[str], None]:
    """The command of a multi-GPU training, and no temporary file to delete."""
    return launch_command(trainer, find_free_network_port()), None


engine.check_amp = half_works
engine.generate_ddp_command = several_processes  # type: ignore[assignment]
engine.strip_optimizer = strip  # type: ignore[assignment]
engine.EarlyStopping = Patience  # type: ignore[misc]
plotting.check_font = local_font
use_every_core()
suppress_every_image()
