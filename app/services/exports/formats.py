"""The formats that models can be exported to: ultralytics' table, and which of them are available here."""

import ast
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask_babel import gettext as _

from app.core.exports import PYTORCH, ExportArguments
from app.services.trainer.ultralytics_files import folder

TABLE = re.compile(r"^def export_formats\(\):.*?^    return", re.M | re.S)
# Options of a request, by their names in ultralytics' table.
NAMES = {"dynamic": "dynamic", "nms": "nms", "batch": "batch", "opset": "opset"}
# Packages that create a format and run it; of alternatives separated by | one is enough.
PACKAGES: dict[str, tuple[str, ...]] = {
    PYTORCH: (),
    "torchscript": (),
    "onnx": ("onnx", "onnxruntime|onnxruntime-gpu"),
    "openvino": ("openvino",),
    "engine": ("onnx", "tensorrt|tensorrt-cu12|tensorrt-cu13"),
    "coreml": ("coremltools",),
    "saved_model": ("tensorflow|tensorflow-cpu", "onnx2tf"),
    "pb": ("tensorflow|tensorflow-cpu", "onnx2tf"),
    "litert": ("litert-torch", "ai-edge-litert"),
    "paddle": ("paddlepaddle|paddlepaddle-gpu", "x2paddle"),
    "mnn": ("onnx", "MNN"),
    "ncnn": ("ncnn", "pnnx"),
    "executorch": ("executorch",),
}
INT8_PACKAGES = {"openvino": ("nncf",)}


@dataclass(frozen=True)
class ExportFormat:
    """One row of ultralytics' table.

    Args:
        name: in requests. suffix: of the file or folder.
        arguments: allowed options.
    """

    name: str
    label: str
    suffix: str
    arguments: tuple[str, ...]

    def why_not(self, gpus: tuple[str, ...]) -> str | None:
        """Why the format is not available here; None: it is.

        Args:
            gpus: of this machine.
        """
        if self.name not in PACKAGES:
            return _("This format needs the vendor's hardware or tools, so this server can't verify it.")
        if self.name == "coreml" and sys.platform != "darwin":
            return _("Core ML models run on macOS only, so this server can't verify them.")
        if self.name == "engine" and not gpus:
            return _("TensorRT needs an NVIDIA GPU. This server has none.")
        if missing := absent(PACKAGES[self.name]):
            return lacking(missing)
        return None

    def why_no_int8(self) -> str | None:
        """Why INT8 is not available, if it needs more packages than the format; None: it is."""
        missing = absent(INT8_PACKAGES.get(self.name, ()))
        return lacking(missing) if missing else None


def absent(packages: tuple[str, ...]) -> list[str]:
    """The packages that are not installed."""
    return [name for name in packages if not any(map(installed, name.split("|")))]


def lacking(packages: list[str]) -> str:
    names = ", ".join(name.partition("|")[0] for name in packages)
    return _("Not installed on the server: %(packages)s.", packages=names)


@cache
def installed(package: str) -> bool:
    """Whether a distribution is installed. Cached, since the processes that use it belong to the same installation."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


@cache
def formats() -> dict[str, ExportFormat]:
    """All of ultralytics' formats by name, in its order; empty if it is not installed or its table has changed."""
    package = folder()
    path = package and package.parent / "engine" / "exporter.py"
    return {} if path is None or not path.is_file() else {item.name: item for item in read(path.read_text("utf-8"))}


def read(source: str) -> Iterator[ExportFormat]:
    """The formats in exporter.py, which is parsed without being imported."""
    match = TABLE.search(source)
    table: Any = match and next(filter(is_table, ast.walk(ast.parse(f"{match[0]} 0"))), None)
    half, int8 = constant(source, "FP16_FORMATS"), constant(source, "INT8_FORMATS")
    for label, name, suffix, _cpu, _gpu, arguments, *_rest in ast.literal_eval(table.value) if table else ():
        if name == "-":
            yield ExportFormat(PYTORCH, label, suffix, ("img_size",))
            continue
        rules: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("half", lambda name=name: name in half and name != "torchscript"),  # type: ignore[misc]
            ("int8", lambda name=name: name in int8),  # type: ignore[misc]
        )
        precisions = tuple(key for key, fits in rules if fits())
        other_arguments = tuple(key for key, theirs in NAMES.items() if theirs in arguments)
        yield ExportFormat(name, label, suffix, ("img_size", *precisions, *other_arguments))


def is_table(node: Any) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "x"


def constant(source: str, name: str) -> set[str]:
    """The strings of a frozenset constant; empty if there is none."""
    match = re.search(rf"^{name} = frozenset\(\s*(\{{.*?\}})\s*\)", source, re.M | re.S)
    return set(ast.literal_eval(match[1])) if match else set()


def packages_used(form: str, arguments: ExportArguments, versions: Mapping[str, str]) -> dict[str, str]:
    """The versions of the installed packages that a format needs.

    Args:
        versions: from `environment_note`.
    """
    needed = PACKAGES.get(form, ()) + (INT8_PACKAGES.get(form, ()) if arguments.get("int8") else ())
    names = {"ultralytics", "torch", "python"}.union(*(item.split("|") for item in needed))
    return {name: number for name, number in versions.items() if name in names}


def environment_note() -> dict[str, str]:
    """The versions of the packages that exports use here."""
    names = ("ultralytics", "torch", "onnx", "onnxruntime", "openvino", "nncf")
    versions = {name: version(name) for name in names if installed(name)}
    return versions | {"python": platform.python_version()}
