"""Lists the models that can be trained: one for each scale of the YAMLs in the installed ultralytics."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.extensions import socketio
from app.schemas.parameters import ArchitectureOutValues
from app.services.trainer.ultralytics_files import folder, read

# The task by the module of the last layer. Others are excluded: world and YOLOE models learn from texts (they need a
# text encoder that is downloaded), semantic and depth models need pixel maps, which datasets here do not have.
HEADS = {
    "Detect": "detect",
    "v10Detect": "detect",
    "RTDETRDecoder": "detect",
    "Segment": "segment",
    "Segment26": "segment",
    "Pose": "pose",
    "Pose26": "pose",
    "OBB": "obb",
    "OBB26": "obb",
    "Classify": "classify",
}
# A torchvision network, which downloads its own weights without a check.
FETCHES = "TorchVision"

# The datasets for each task: polygons include boxes and oriented boxes, keypoints include a box.
FITTING = {
    "detect": ("detect", "segment", "obb", "pose"),
    "segment": ("segment", "obb"),
    "pose": ("pose",),
    "obb": ("obb", "segment"),
    "classify": ("classify",),
}
SUFFIXES = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls"}
FAMILY = re.compile(r"yolov?(\d+)|rtdetr")
SIZES = ("n", "t", "s", "m", "b", "c", "l", "e", "x")  # from small to large

_architectures: dict[str, "Architecture"] = {}


@dataclass(frozen=True)
class Architecture:
    """`name`: ultralytics' name, such as `yolo11n-seg`; `size`: its scale, empty if there is only one."""

    name: str
    family: str
    size: str
    task: str
    layers: int

    def fits(self, dataset_task: str) -> bool:
        return dataset_task in FITTING[self.task]


def architectures() -> dict[str, Architecture]:
    """All architectures by name: newest family first, then by task and size. Read once; yields to other requests."""
    if not _architectures:
        package = folder()
        listed: list[Architecture] = []
        for path in package.glob("models/**/*.yaml") if package else ():
            listed += of_file(path.stem, read(path))
            socketio.sleep(0)  # a file takes about 1 ms
        _architectures.update((item.name, item) for item in sorted(listed, key=rank))
    return _architectures


def find(name: str) -> Architecture | None:
    """The architecture with this name, or with that of its official file, which may have an additional u: yolov5nu."""
    by_name = architectures()
    return by_name.get(name) or by_name.get(name.removesuffix("u"))


def of_file(stem: str, model: Mapping[str, object]) -> Iterator[Architecture]:
    """The architectures of a YAML with this name; none if it cannot be trained here."""
    family = FAMILY.match(stem)
    backbone, head, scales = model["backbone"], model["head"], model.get("scales") or {}
    if not (isinstance(backbone, list) and isinstance(head, list) and isinstance(scales, dict)):
        return
    layers = backbone + head
    task = HEADS.get(layers[-1][2])
    if family is None or task is None or any(layer[2] == FETCHES for layer in layers):
        return
    for name, size in names(stem, family[0], list(scales)):
        yield Architecture(name, family[0], size, task, len(layers))


def names(stem: str, family: str, scales: list[str]) -> list[tuple[str, str]]:
    """Name and size of each model of a YAML: a file for all scales, or one with its only scale in the name."""
    rest = stem.removeprefix(family)
    if rest[:1].isalpha():  # yolov9c-seg
        return [(stem, rest[0])]
    if family == "rtdetr" or not scales:  # rtdetr-l, yolov3-tiny
        return [(stem, rest.removeprefix("-"))]
    return [(f"{family}{scale}{rest}", scale) for scale in scales]


def rank(item: Architecture) -> tuple[Any, ...]:
    """A sort key: newest family first, then by task and size."""
    number = FAMILY.match(item.name)[1]  # type: ignore[index]
    variant = item.name.removeprefix(f"{item.family}{item.size}")
    size = SIZES.index(item.size) if item.size in SIZES else len(SIZES)
    return (-int(number or 0), item.family, list(HEADS.values()).index(item.task), variant, size, item.size)


def listed() -> list[ArchitectureOutValues]:
    """All architectures as ArchitectureOut."""
    return [
        {"name": item.name, "family": item.family, "size": item.size, "task": item.task, "datasets": FITTING[item.task]}
        for item in architectures().values()
    ]


def examples(dataset_task: str) -> str:
    """Some that match a dataset, for a message: for each possible task, the smallest of each family."""
    tasks = [dataset_task, *(task for task, datasets in FITTING.items() if dataset_task in datasets)]
    smallest = {item.name: item for item in architectures().values() if item.size == "n"}
    names = [
        item.name
        for task in dict.fromkeys(tasks)
        for item in smallest.values()
        if item.task == task and item.name == f"{item.family}n{SUFFIXES[task]}"
    ]
    return ", ".join(names[:6])
