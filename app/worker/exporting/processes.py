"""Measures an exported file in a process of its own, as its user will load it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from app.core.cpu import has_bfloat16
from app.core.exports import ExportSpec, Measurement, MeasureTask

PROGRAM = "app.worker.exporting.measuring"
ANSWER_S = 30.0  # in which a process that was ended is gone


class NotLoadable(Exception):
    """The runtime cannot load an exported file, or not run it."""


def measured(spec: ExportSpec, model: Path, data: Path, folder: Path, step: Callable[[], None]) -> Measurement:
    """The figures of a model file, see measuring.py.

    Args:
        folder: of this measurement; made here.
        step: called after each image; what it raises ends the process.

    Raises:
        NotLoadable: the process ended without figures; its output is in our own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    task, result = folder / "task.json", folder / "result.json"
    task.write_text(json.dumps(task_of(spec, model, data)), encoding="utf-8")
    command = [sys.executable, "-m", PROGRAM, str(task), str(result)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for _line in process.stdout or ():
                step()
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
        code = process.wait()
    if code or not result.exists():
        raise NotLoadable(f"the runtime ended with status {code}")
    measurement: Measurement = json.loads(result.read_text(encoding="utf-8"))
    return measurement


def task_of(spec: ExportSpec, model: Path, data: Path) -> MeasureTask:
    """What measuring.py is told."""
    plain = not set(spec.arguments) - {"opset"} and spec.device == "cpu"
    fast = spec.format == "openvino" and model.suffix != ".pt" and plain and has_bfloat16()
    return {
        "model": str(model),
        "data": str(data),
        "task": spec.task,
        "img_size": spec.img_size,
        "device": spec.device,
        "classes": spec.classes,
        "bf16": fast,
    }
