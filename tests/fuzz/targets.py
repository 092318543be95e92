"""The readers of untrusted bytes. Each target ends with a result or a named refusal; everything else is a failure.

Shared by hypothesis (test_fuzz.py) and atheris (guided.py).
"""

import atexit
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy

from app.core.imports import ArchiveLimits
from app.core.report import Keypoints
from app.services.datasets.archive_texts import refusal
from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.finding_texts import TEXTS, text_of
from app.services.datasets.texts import DECISIONS, REASONS, message_of
from app.worker.failures import InvalidInput
from app.worker.formats import Options, choose, detect, read
from app.worker.importing.content import content
from app.worker.importing.reading import read_archive
from app.worker.quality.labels import Rules, judge_bytes
from tests.data import image_bytes, yolo_zip
from tests.worker.formats.helpers import write
from tests.worker.formats.test_conversions import cvat, voc, voc_object
from tests.worker.formats.test_masks import palette
from tests.worker.formats.writers import WRITERS, labelme_file, supervisely_project

MOST_BYTES = 4096
LIMITS = ArchiveLimits(max_entries=500, max_expanded=10 * 1024**2, min_free=0)
RULES = (
    Rules(3),
    Rules(3, "detect"),
    Rules(3, "segment"),
    Rules(3, "obb"),
    Rules(3, "pose", 2, 3),
    Rules(3, "detect", 2, 2),
)
YOLO = {"yolo", "darknet", "cvat-yolo"}
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())


def check_zip(data: bytes) -> None:
    """The checker of archives, and the reader of their content."""
    file = io.BytesIO(data)
    try:
        with folder() as tmp:
            listing = read_archive(file, LIMITS, tmp)
            for member in listing.members:
                assert member.parts, member
                assert not {"", ".", ".."} & set(member.parts), member.parts
                assert not any("/" in part or "\\" in part or "\0" in part for part in member.parts), member.parts
                for _block in content(file, member.entry):
                    pass
    except InvalidInput as verdict:
        if refusal(verdict.code, verdict.data) is None:
            raise  # without a text


def check_labels(data: bytes) -> None:
    """A label file, for each task."""
    for rules in RULES:
        verdict = judge_bytes(data, rules)
        assert all(count > 0 for count in verdict.boxes.values())
        assert verdict.usable or not verdict.boxes


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@dataclass(frozen=True)
class Sample:
    """A dataset as written by a tool, of which one file is replaced by the input.

    Args:
        fed: that file's name.
        beside: the other files, except the images a.jpg and 1.jpg.
        seeds: the tool's versions of the file.
        images: the names of the images.
    """

    fed: str
    seeds: tuple[bytes, ...]
    beside: Mapping[str, bytes | str] = field(default_factory=dict)
    images: tuple[str, ...] = ("a.jpg", "1.jpg")
    task: str = "auto"

    @cached_property
    def source(self) -> Path:
        """A folder with everything but the input, until this process ends."""
        root = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        write(root, dict.fromkeys(self.images, image_bytes()) | dict(self.beside) | {self.fed: b""})
        return root


def check_annotations(sample: Sample, data: bytes) -> None:
    """A file with annotations beside its images. Converted objects are inside the image; YOLO's own lines are validated
    later: `check_labels`. Its findings have texts, and can be stored.
    """
    source, options = sample.source, Options(task=sample.task)
    (source / sample.fed).write_bytes(data)
    try:
        reading = read(source, choose(detect(source, options.task), options), options)
    except InvalidInput as verdict:
        if verdict.code not in REASONS or "%(" in message_of(REASONS, verdict.code, verdict.data):
            raise  # without a text
        return
    for item in reading.items:
        assert (source / item.image).resolve().is_relative_to(source.resolve()), item.image
        assert ".." not in item.name.split("/"), item.name
        for row in (item.rows or []) if reading.format not in YOLO else []:
            assert all(0 <= float(value) <= 1 for value in coordinates(row.text, reading.keypoints)), row.text
    for decision in reading.decisions:
        assert decision["code"] in DECISIONS, decision
        assert "%(" not in message_of(DECISIONS, decision["code"], decision["data"]), decision
    for finding in {finding["code"]: finding for finding in reading.findings}.values():
        assert finding["code"] in TEXTS or finding["code"] in CONVERTED, finding
        assert str(text_of(finding["code"]).message) % finding["data"]
    summary = {"names": reading.names, "decisions": reading.decisions, "findings": reading.findings}
    json.dumps(summary, ensure_ascii=False, allow_nan=False).encode()


def coordinates(row: str, keypoints: Keypoints | None) -> list[str]:
    """The coordinates of a converted row, without the class and the visibility of keypoints."""
    values = row.split()[1:]
    if keypoints is None or keypoints["kpt_shape"][1] < 3:
        return values
    return [value for at, value in enumerate(values) if at < 4 or (at - 4) % 3 < 2]


def annotations(sample: Sample) -> Callable[[bytes], None]:
    return lambda data: check_annotations(sample, data)


def encode(files: Mapping[str, bytes | str], suffix: str = "") -> list[bytes]:
    """The contents of the files with a suffix."""
    return [text if isinstance(text, bytes) else text.encode() for name, text in files.items() if name.endswith(suffix)]


def written_examples(key: str, suffix: str = "") -> tuple[bytes, ...]:
    """The files written by the tools of a format, or by all tools that write this suffix."""
    boxes = {"a.jpg": [("car", 1, 1, 9, 9), ("dog", 5, 5, 20, 30)], "1.jpg": []}
    files = [write_files(boxes) for form, write_files in WRITERS.values() if key in ("", form)]
    return tuple(data for value in files for data in encode(value, suffix) if len(data) <= MOST_BYTES)


def mask() -> bytes:
    """An image of two classes, as written by VOC and CVAT."""
    values = numpy.zeros((48, 64), numpy.uint8)
    values[3:15, 2:20], values[25:45, 5:25] = 1, 2
    return palette(values)


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "segmentation": [[1, 1, 9, 1, 9, 9]]}
    ],
    "categories": [{"id": 1, "name": "cat"}],
}
POSE = {
    "images": COCO["images"],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "keypoints": [2, 2, 2, 0, 0, 0]}],
    "categories": [{"id": 1, "name": "person", "keypoints": ["left_eye", "right_eye"]}],
}
CREATEML = [
    {
        "image": "a.jpg",
        "annotations": [{"label": "cat", "coordinates": {"x": 20, "y": 10, "width": 20, "height": 10}}],
    },
    {"imagefilename": "1.jpg", "annotation": []},
]
LABELME = [
    {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "rectangle", "group_id": None},
    {"label": "dog", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon", "group_id": 1},
    {"label": "nose", "points": [[1, 1]], "shape_type": "point", "group_id": 1},
]
CVAT = (
    '<image id="0" name="a.jpg" width="64" height="48"><box label="cat" xtl="10" ytl="10" xbr="30" ybr="20"/>'
    '<polygon label="dog" points="10,10;30,12;20,30"/><points label="cat" points="1,1;2,2"/></image>',
    '<track id="0" label="cat"><box frame="0" outside="0" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    '<box frame="1" outside="1" keyframe="1" xtl="2" ytl="2" xbr="9" ybr="9"/></track>',
)
LINES = (
    b"0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.3 0.1 0.3 0.3\n",
    b"2 0.5 0.5 0.2 0.2 0.1 0.1 2 0.2 0.2 1\n",
    b"\xef\xbb\xbf",
)
LISTED = {"train.txt": "a.jpg\n", "test.txt": "1.jpg\n", "obj.names": "cat\ndog\n"}
ROW = "0 0.5 0.5 0.2 0.2\n"
META = dict(supervisely_project({}))

# Each format of app/worker/formats/readers.py, and the texts beside YOLO's images. Folders of classes have no file of
# their own.
SAMPLES = {
    "coco": Sample("coco.json", (*written_examples("coco"), json.dumps(COCO).encode(), json.dumps(POSE).encode())),
    "voc": Sample("a.xml", (voc(voc_object(1, 1, 9, 9)).encode(),)),
    "cvat": Sample("annotations.xml", (*written_examples("cvat"), *(cvat(body).encode() for body in CVAT))),
    "labelme": Sample("a.json", (*written_examples("labelme"), *encode(labelme_file("a.jpg", LABELME)))),
    "createml": Sample("createml.json", (json.dumps(CREATEML).encode(),)),
    "csv": Sample("a.csv", written_examples("", ".csv")),
    "csv-classes": Sample(
        "a.csv",
        (
            b"image,label\na.jpg,cat\n1.jpg,dog\nb.jpg,cat\n2.jpg,dog\n",
            b"file,cat,dog\na.jpg,1,0\n1.jpg,0,1\nb.jpg,0,1\n2.jpg,1,0\n",
        ),
        images=("a.jpg", "1.jpg", "b.jpg", "2.jpg"),
        task="classify",
    ),
    "label-studio": Sample("project.json", written_examples("label-studio", ".json")),
    "supervisely": Sample("ds/ann/a.jpg.json", written_examples("supervisely", ".jpg.json"), META),
    "supervisely-meta": Sample(
        "meta.json",
        written_examples("supervisely", "meta.json"),
        {"ds/ann/a.jpg.json": written_examples("supervisely", "a.jpg.json")[0]},
    ),
    "darwin": Sample("a.json", written_examples("darwin")),
    "via": Sample("via.json", written_examples("via", ".json")),
    "datumaro": Sample("annotations/train.json", written_examples("datumaro")),
    "labelbox": Sample("export.ndjson", written_examples("labelbox")),
    "ultralytics": Sample("dataset.ndjson", written_examples("ultralytics")),
    "masks": Sample("masks/a.png", (mask(),), {"classes.txt": "dog\ncat\n"}, ("images/a.jpg", "images/1.jpg")),
    "yaml": Sample(
        "data.yaml",
        (
            b"names: {0: cat, 1: dog}\nnc: 2\ntrain: images\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n",
            b"path: .\nnames: [a]\n",
        ),
        {"a.txt": ROW},
    ),
    "txt": Sample("a.txt", (*LINES, b"./a.jpg\n1.jpg\n", b"cat\ndog\n")),
    "names": Sample("classes.names", (b"cat\ndog\n",), {"a.txt": ROW}),
    "pbtxt": Sample("labels.pbtxt", (b"item { id: 1 name: 'cat' }\nitem { id: 2 name: \"dog\" }\n",), {"a.txt": ROW}),
    "darknet": Sample(
        "obj.data",
        (b"classes = 2\ntrain = train.txt\nvalid = test.txt\nnames = obj.names\n",),
        LISTED | {"a.txt": ROW, "1.txt": ROW},
    ),
}

TARGETS: dict[str, Callable[[bytes], None]] = {
    "zip": check_zip,
    "labels": check_labels,
    **{name: annotations(sample) for name, sample in SAMPLES.items()},
}


@cache
def seeds() -> dict[str, list[bytes]]:
    """Files written by tools, for each target."""
    return {"zip": [yolo_zip(1, 1)], "labels": [*LINES]} | {name: [*sample.seeds] for name, sample in SAMPLES.items()}
