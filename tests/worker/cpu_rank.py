"""app/worker/rank.py on the CPU: ultralytics trains with several processes on GPUs only, torch's gloo does on any."""

import sys
from typing import Any

import torch
from torch import distributed, nn

from app.worker import rank, tasks

Parallel = nn.parallel.DistributedDataParallel


class AnyDevice(Parallel):
    """Without the numbers of GPUs."""

    def __init__(self, model: Any, device_ids: Any = None, **options: Any) -> None:
        super().__init__(model, **options)


class Trainer(tasks.DetectTrainer):
    """One of two processes on the CPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.world_size = 2

    def _setup_ddp(self) -> None:
        distributed.init_process_group("gloo")


if __name__ == "__main__":
    torch.set_num_threads(1)
    nn.parallel.DistributedDataParallel = AnyDevice  # type: ignore[misc]
    tasks.TRAINERS["detect"] = Trainer
    rank.main(sys.argv[1])
