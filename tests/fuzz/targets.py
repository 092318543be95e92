"""What reads bytes of strangers. Each target ends with a result or a refusal that has a name; all else is a fault.

Shared by hypothesis (test_fuzz.py) and atheris (guided.py).
"""

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from app.core.imports import ArchiveLimits
from app.services.datasets.archive_texts import refusal
from app.worker.failures import InvalidInput
from app.worker.formats import Options, choose, detect, read
from app.worker.importing.content import content
from app.worker.importing.reading import read_archive
from app.worker.quality.labels import Rules, judge_bytes
from tests.data import image_bytes, yolo_zip

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
        found = judge_bytes(data, rules)
        assert all(count > 0 for count in found.boxes.values())
        assert found.usable or not found.boxes


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY))
    try:
        yield made
    finally:
        shutil.rmtree(made)


@cache
def picture() -> bytes:
    return image_bytes()


def check_annotations(name: str, data: bytes) -> None:
    """A file with annotations beside its picture. What is converted lies in the image; YOLO's own lines are judged
    later, as they are: `check_labels`."""
    with folder() as source:
        for image in ("a.jpg", "1.jpg"):
            (source / image).write_bytes(picture())
        (source / name).write_bytes(data)
        options = Options()
        try:
            found = read(source, choose(detect(source, options.task), options), options)
        except InvalidInput:
            return
        for item in found.items:
            assert (source / item.image).resolve().is_relative_to(source.resolve()), item.image
            assert ".." not in item.name.split("/"), item.name
            for row in (item.rows or []) if found.format not in YOLO else []:
                assert all(0 <= float(value) <= 1 for value in row.text.split()[1:]), row.text


def annotations(name: str) -> Callable[[bytes], None]:
    return lambda data: check_annotations(name, data)


# By the suffix, which says who reads it; sniff.py then tells the formats of one suffix apart.
TARGETS: dict[str, Callable[[bytes], None]] = {
    "zip": check_zip,
    "labels": check_labels,
    "json": annotations("a.json"),
    "xml": annotations("a.xml"),
    "csv": annotations("a.csv"),
    "ndjson": annotations("a.ndjson"),
    "yaml": annotations("data.yaml"),
    "txt": annotations("a.txt"),
    "names": annotations("classes.names"),
}


@cache
def seeds() -> dict[str, list[bytes]]:
    """Files as tools write them, for each target."""
    from tests.worker.formats.test_conversions import cvat, voc, voc_object
    from tests.worker.formats.writers import WRITERS

    found: dict[str, list[bytes]] = {name: [] for name in TARGETS}
    boxes = {"a.jpg": [("car", 1, 1, 9, 9), ("dog", 5, 5, 20, 30)], "1.jpg": []}
    for _format, write in WRITERS.values():
        for name, text in write(boxes).items():
            data = text if isinstance(text, bytes) else text.encode()
            suffix = name.rpartition(".")[2]
            if suffix in found and len(data) <= MOST_BYTES:
                found[suffix].append(data)
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "segmentation": [[1, 1, 9, 1, 9, 9]]}
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    found["json"].append(json.dumps(coco).encode())
    found["xml"] += [voc(voc_object(1, 1, 9, 9)).encode(), cvat("").encode()]
    lines = (
        b"0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.3 0.1 0.3 0.3\n",
        b"2 0.5 0.5 0.2 0.2 0.1 0.1 2 0.2 0.2 1\n",
        b"\xef\xbb\xbf",
    )
    found["labels"] += lines
    found["txt"] += [*lines, b"./a.jpg\n1.jpg\n", b"cat\ndog\n"]
    found["names"] += [b"cat\ndog\n"]
    found["yaml"] += [
        b"names: {0: cat, 1: dog}\nnc: 2\ntrain: images\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n",
        b"path: .\nnames: [a]\n",
    ]
    found["zip"].append(yolo_zip(1, 1))
    return found
