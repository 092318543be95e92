"""Measures a model file on the validation images of a dataset: `python -m app.worker.exporting.measuring TASK RESULT`.

In a process of its own, so that the runtime is loaded as its user will load it, from the file alone. TASK is a JSON
file: model, data (a dataset.yaml), task, img_size, device, classes; bf16: whether it is measured in bfloat16, too.
RESULT becomes a JSON file, see `measure`. It waits for a line on stdin before each image, and announces each that is
done by a line on stdout: so several processes can take turns. Everything else is printed to stderr.
"""

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # in a process of its own it loads nothing of ours that it does not need
    from app.core.exports import Latency, Measurement, MeasureTask

from app.core.exports import BFLOAT16, EXACT

MOST_COMPARED = 30  # detections of an image
HINT = "INFERENCE_PRECISION_HINT"
WARM_UP = 3  # images that warm caches up and do not count
ORPHAN_POLL_S = 2.0


def measure(task: "MeasureTask", folder: Path, step: Callable[[], None] = lambda: None) -> "Measurement":
    """precision, recall, map50, map95 (of a classification top1, top5), images, curves with best, latency_ms of the
    model alone, the contention meanwhile, names, device, and by file its `detections`: class, confidence, place in
    pixels of the surest.

    Args:
        folder: where ultralytics may write.
        step: called after each image; what it raises ends the measurement.

    Raises:
        Exception: the runtime cannot load the file, or not run it.
    """
    from app.worker.contention import ProcessorContention
    from app.worker.curves import curves_of
    from app.worker.measuring import Images, measure
    from app.worker.train import private_settings

    private_settings()
    detections: dict[str, list[list[float]]] = {}

    def add_image(image: Any) -> None:
        instances = image.instances
        rows = zip(instances.detections, instances.confidences, instances.detection_corners, strict=True)
        detections[image.file] = [[kind, confidence, *corners] for kind, confidence, corners in rows][:MOST_COMPARED]
        step()

    images, contention = Images(Path(task["data"]), classes=task.get("classes")), ProcessorContention()
    with computing_in(task.get("precision", EXACT)):
        measured = measure(
            Path(task["model"]),
            task["task"],
            images,
            folder,
            img_size=task["img_size"],
            device=task["device"],
            one_by_one=True,
            add_image=add_image,
        )
    return {
        **measured.metrics,
        "images": measured.images,
        "names": measured.names,
        "curves": None if measured.part is None else curves_of(measured.part),
        "latency_ms": latency(measured.inference_ms),
        "contention": contention.ratio(),
        "detections": detections,
        "device": task["device"],
    }


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Have OpenVINO compile what is loaded meanwhile for a precision, EXACT as the example of an export asks it to: by
    itself it takes bfloat16 where the CPU has it, and the figures would be those of this machine alone."""
    try:
        import openvino
    except ImportError:  # then nothing is loaded with it
        yield
        return
    compile_model = openvino.Core.compile_model

    def compile_so(core: Any, model: Any, device_name: Any = None, config: Any = None, **more: Any) -> Any:
        return compile_model(core, model, device_name, {**(config or {}), HINT: precision}, **more)

    openvino.Core.compile_model = compile_so
    try:
        yield
    finally:
        openvino.Core.compile_model = compile_model


def latency(times: list[float]) -> "Latency":
    """p50 and p95, ms; `least`: of the quickest image, which other work on the machine disturbs the least."""
    counted = sorted(times[min(WARM_UP, len(times) - 1) :])
    median, slow = (counted[(len(counted) - 1) * share // 100] for share in (50, 95))
    return {"p50": round(median, 2), "p95": round(slow, 2), "least": round(counted[0], 2)}


def end_with(parent: int) -> None:
    """End this process with its parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_POLL_S)
        os._exit(3)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def main(task_file: str, result_file: str) -> None:
    """Measure the model of a task file, and write the result."""
    end_with(os.getppid())
    progress = os.fdopen(os.dup(1), "w", buffering=1)

    def report_image() -> None:
        print("image", file=progress)
        sys.stdin.readline()

    with contextlib.redirect_stdout(sys.stderr):
        task: MeasureTask = json.loads(Path(task_file).read_text(encoding="utf-8"))
        folder = Path(result_file).parent
        sys.stdin.readline()
        measurement = measure(task, folder / "scratch", report_image)
        if task.get("bf16"):
            try:
                measurement["bf16"] = measure({**task, "precision": BFLOAT16}, folder / BFLOAT16, report_image)
            except Exception:  # it is not run so then
                traceback.print_exc()
    Path(result_file).write_text(json.dumps(measurement), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
