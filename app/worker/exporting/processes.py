"""Measures model files in separate processes, as their users will load them."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from app.core.cpu import has_bfloat16
from app.core.exports import OPENVINO, ExportSpec, Measurement, MeasureTask
from app.worker.threads import child_environment

PROGRAM = "app.worker.exporting.measuring"
GO = "go\n"  # line that a process waits for before each image
# images per turn: a runtime's threads busy-wait for some time afterwards, and slow down the first ones of the next
# process
TURN = 25


class NotLoadable(Exception):
    """The runtime cannot load or run an exported file."""


class MeasuringProcess:
    """A process that measures a model file, an image at a time; a context manager.

    Args:
        task: of measuring.py.
        folder: for this measurement; created here.
    """

    def __init__(self, task: MeasureTask, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        self.result = folder / "result.json"
        command = [sys.executable, "-m", PROGRAM, str(folder / "task.json"), str(self.result)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment()
        )

    def __enter__(self) -> "MeasuringProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def step(self) -> bool:
        """Measure one more image; False: there is none, or the process has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(GO)
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return bool(self.process.stdout.readline())

    def figures(self) -> Measurement:
        """The result, see measuring.py; after the last image.

        Raises:
            NotLoadable: the process ended without a result; its output is in ours.
        """
        code = self.process.wait()
        if code or not self.result.exists():
            raise NotLoadable(f"the runtime ended with status {code}")
        measurement: Measurement = json.loads(self.result.read_text(encoding="utf-8"))
        return measurement


def measured(
    spec: ExportSpec, models: Sequence[Path], data: Path, folder: Path, step: Callable[[], None]
) -> list[Measurement]:
    """The measurements of several model files, alternating after some images: other processes then slow all of them
    equally.

    Args:
        folder: for temporary files.
        step: called after each image of each; an exception ends the processes.

    Raises:
        NotLoadable: one cannot be loaded or run.
    """
    with ExitStack() as stack:
        running = [
            stack.enter_context(MeasuringProcess(task_of(spec, model, data), folder / str(number)))
            for number, model in enumerate(models)
        ]
        going = list(running)
        while going:
            for one in list(going):
                for _ in range(TURN):
                    if not one.step():
                        going.remove(one)
                        break
                    step()
        return [one.figures() for one in running]


def task_of(spec: ExportSpec, model: Path, data: Path) -> MeasureTask:
    """The task of measuring.py."""
    default_arguments = not set(spec.arguments) - {"opset"} and spec.device == "cpu"
    bfloat16 = spec.format == OPENVINO and model.suffix != ".pt" and default_arguments and has_bfloat16()
    return {
        "model": str(model),
        "data": str(data),
        "task": spec.task,
        "img_size": spec.img_size,
        "device": spec.device,
        "classes": spec.classes,
        "bf16": bfloat16,
    }
