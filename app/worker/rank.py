"""One process of a multi-GPU training: `python -m torch.distributed.run … -m app.worker.rank ARGUMENTS`.

ultralytics would write a program and a pickle for it, which requires another package. The class follows from the task,
and the arguments are plain values, so a JSON file suffices.
"""

import json
import sys
from pathlib import Path
from typing import Any

from app.core.train import TrainSpec
from app.worker.channel import folder, read_spec


def launch_command(trainer: Any, port: int) -> list[str]:
    """The command that starts `trainer.world_size` processes, one per GPU; the arguments are stored beside the spec."""
    path = folder() / "arguments.json"
    path.write_text(json.dumps(vars(trainer.args)), encoding="utf-8")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(trainer.world_size)]
    return [*launcher, "--master_port", str(port), "-m", "app.worker.rank", str(path)]


def main(path: str) -> None:
    """Train together with the other ranks; rank 0 emits the events."""
    from app.worker.tasks import TRAINERS, trainer_key

    arguments = json.loads(Path(path).read_text(encoding="utf-8"))
    arguments.pop("save_dir", None)  # derived from project and name
    TRAINERS[trainer_key(TrainSpec.of(read_spec(folder())))](overrides=arguments).train()


if __name__ == "__main__":
    main(sys.argv[1])
