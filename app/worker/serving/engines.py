"""Loads a model: its weights in PyTorch, or their verified export to OpenVINO."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from app.core.files import file_hash
from app.core.train import UltralyticsArguments
from app.worker.failures import kind_of
from app.worker.loading import loading
from app.worker.suppression import suppress_every_image
from app.worker.threads import use_every_core

CPU = "cpu"

Stamp = tuple[tuple[int, int], ...]  # mtime in ns and size of each file: an overwritten file is another model


class BadModel(Exception):
    """The weights are unusable; `str()` has the reason for the log."""


class BadExport(Exception):
    """The export is unusable. `code`: missing, damaged or not_loadable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


@dataclass(frozen=True)
class Export:
    """The files of an export, as they were verified.

    Args:
        folder: of the model. files: SHA-256 by name. task: of the model. img_size: of its input, px.
        precision: in which it was verified, by OpenVINO's name.
    """

    folder: str
    files: Mapping[str, str]
    task: str
    img_size: int
    precision: str = "f32"

    @property
    def stamp(self) -> Stamp:
        """The stamp of the export's files.

        Raises:
            BadExport: a file is missing.
        """
        try:
            return stamp_of(*(Path(self.folder) / name for name in sorted(self.files)))
        except OSError as error:
            raise BadExport("missing", str(error)) from error

    def check(self) -> None:
        """Check that the export's files are those that were verified.

        Raises:
            BadExport: a file differs from the verified one.
        """
        for name, sha256 in self.files.items():
            try:
                actual = file_hash(Path(self.folder) / name)
            except OSError as error:
                raise BadExport("missing", str(error)) from error
            if actual != sha256:
                raise BadExport("damaged", name)


def stamp_of(*paths: Path) -> Stamp:
    """Modification time and size of files, for detecting changes.

    Raises:
        OSError: one is missing.
    """
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in map(os.stat, paths))


class Engine:
    """Runs a .pt in PyTorch, exactly as `YOLO(path).predict` does.

    Args:
        device: cpu or cuda:0.

    Raises:
        BadModel: the file is not a model.
    """

    name = "pytorch"

    def __init__(self, path: str, device: str) -> None:
        self.device, self.half = device, device != CPU  # a CPU is slower in half precision
        self.options: UltralyticsArguments = {"device": device, "save": False, "verbose": False}
        if self.half:
            self.options["quantize"] = 16
        suppress_every_image()
        use_every_core()
        self.model = self.opened(path)

    def opened(self, path: str) -> Any:
        from ultralytics import YOLO

        try:
            with loading(Path(path)):
                model = YOLO(path)
            return self.warmed_up(model)
        except MemoryError:
            raise
        except Exception as error:
            if kind_of(error) == "out_of_memory":
                raise MemoryError(str(error)) from error
            raise BadModel(f"{type(error).__name__}: {error}") from error

    def warmed_up(self, model: Any) -> Any:
        """The model after a first run, which initializes it, so that this is not timed."""
        import numpy

        model.predict(numpy.full((64, 64, 3), 114, numpy.uint8), conf=0.5, iou=0.5, **self.options)
        return model

    @property
    def task(self) -> str:
        return str(self.model.task)

    @property
    def precision(self) -> str:
        """single, bfloat16, or half."""
        return "half" if self.half else "single"

    @property
    def names(self) -> dict[int, str]:
        return {int(number): str(name) for number, name in dict(self.model.names).items()}

    def run(self, images: Sequence[Any], conf: float, iou: float) -> list[Any]:
        """ultralytics' results of BGR arrays, in order. The result of an image does not depend on the others: only
        images of one shape are batched, since ultralytics would pad others to a square.
        """
        indices = defaultdict(list)
        for index, image in enumerate(images):
            indices[self.shape_of(image)].append(index)
        results_by_index: dict[int, Any] = {}
        for same in indices.values():
            results = self.model.predict([images[index] for index in same], conf=conf, iou=iou, **self.options)
            results_by_index |= dict(zip(same, results, strict=True))
        return [results_by_index[index] for index in range(len(images))]

    def shape_of(self, image: Any) -> tuple[int, ...]:
        """A key of images that can be batched."""
        return tuple(image.shape)


class OpenVinoEngine(Engine):
    """Runs an export to OpenVINO: always a full square, in the verified precision.

    Raises:
        BadExport: its files are missing, differ from the verified ones, or cannot be loaded.
    """

    name = "openvino"

    def __init__(self, export: Export) -> None:
        export.check()
        self.task_name, self.hint = export.task, export.precision
        super().__init__(export.folder, CPU)
        self.options["imgsz"] = export.img_size

    def opened(self, path: str) -> Any:
        from ultralytics import YOLO

        from app.worker.exporting.measuring import computing_in

        try:
            with computing_in(self.hint):
                model = self.warmed_up(YOLO(path, task=self.task_name))
            Streams(model.predictor.model, next(Path(path).glob("*.xml")), self.hint).attach()
        except MemoryError:
            raise
        except Exception as error:
            if kind_of(error) == "out_of_memory":
                raise MemoryError(str(error)) from error
            raise BadExport("not_loadable", f"{type(error).__name__}: {error}") from error
        return model

    @property
    def precision(self) -> str:
        return "single" if self.hint == "f32" else "bfloat16"

    def shape_of(self, image: Any) -> tuple[int, ...]:
        return ()


class Streams:
    """Runs the images of a batch in parallel, one per core: an export accepts a single image at a time, and several
    cores on one image are slower than one image on each core.

    Args:
        backend: ultralytics' AutoBackend of a model in OpenVINO. path: of the model. precision: by OpenVINO's name.
    """

    def __init__(self, backend: Any, path: Path, precision: str) -> None:
        self.backend, self.path, self.alone, self.precision = backend, path, backend.forward, precision
        self.count = len(os.sched_getaffinity(0))
        self.requests: SimpleQueue[Any] = SimpleQueue()
        self.pool = ThreadPoolExecutor(self.count, "stream")

    def attach(self) -> None:
        """Replace the backend's model."""
        if self.count > 1:
            self.backend.forward = self.forward

    def compile(self) -> None:
        import openvino

        config = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(self.count)}
        config |= {"INFERENCE_PRECISION_HINT": self.precision}
        compiled = openvino.Core().compile_model(self.path, "CPU", config)
        for _ in range(self.count):
            self.requests.put(compiled.create_infer_request())

    def forward(self, images: Any, *args: Any, **more: Any) -> Any:
        """As AutoBackend.forward."""
        if len(images) == 1:
            return self.alone(images, *args, **more)
        import numpy
        import torch

        if self.requests.empty():  # at the first batch, so that a single image does not wait for it
            self.compile()
        pixels = images.numpy()
        results = list(self.pool.map(self.infer, (pixels[index : index + 1] for index in range(len(pixels)))))
        outputs = [torch.from_numpy(numpy.concatenate(parts)) for parts in zip(*results, strict=True)]
        return outputs[0] if len(outputs) == 1 else outputs

    def infer(self, pixels: Any) -> list[Any]:
        request = self.requests.get()
        try:
            return [output.copy() for output in request.infer({0: pixels}).values()]
        finally:
            self.requests.put(request)
