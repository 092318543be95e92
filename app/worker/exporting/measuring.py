"""Measures a model file on the validation images of a dataset: `python -m app.worker.exporting.measuring TASK RESULT`.

Runs in its own process, so that the runtime is loaded as its users will load it, from the file alone. TASK is a JSON
file: model, data (a dataset.yaml), task, img_size, device, classes; bf16: measure in bfloat16, too. RESULT becomes a
JSON file, see `measure`. Before each image it waits for a line on stdin, and after each it writes a line to stdout, so
that several processes can alternate. Other output goes to stderr.
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

if TYPE_CHECKING:  # at runtime it loads none of our modules that it does not need
    from app.core.exports import Latency, Measurement, MeasureTask

from app.core.exports import BFLOAT16, EXACT

MOST_COMPARED = 30  # compared detections per image
HINT = "INFERENCE_PRECISION_HINT"
WARM_UP = 3  # images that warm up caches and are not timed
ORPHAN_POLL_S = 2.0


def measure(task: "MeasureTask", folder: Path, step: Callable[[], None] = lambda: None) -> "Measurement":
    """precision, recall, map50, map95 (for classification top1, top5), images, curves with best, latency_ms of the
    model alone, contention, names, device, and by file its `detections`: class, confidence, corners in pixels of the
    most confident ones.

    Args:
        folder: where ultralytics may write.
        step: called after each image; an exception ends the measurement.

    Raises:
        Exception: the runtime cannot load or run the file.
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
    """Have OpenVINO compile models in a precision, EXACT as in the export's example: by default it uses bfloat16 if the
    CPU supports that, and the results would depend on this machine.
    """
    try:
        import openvino
    except ImportError:  # then no model is loaded with it
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
    """p50 and p95, ms; `least`: of the fastest image, which other processes disturb least."""
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
            except Exception:  # bfloat16 is then reported as unavailable
                traceback.print_exc()
    Path(result_file).write_text(json.dumps(measurement), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
