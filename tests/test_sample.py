"""The sample dataset: its labels match what is drawn, and the same seed draws the same images."""

import io
import json
import math
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from scripts.local_server import ROOT

SIZE = 192
MARK = (255, 0, 255)
# Area / (pi * largest radius^2), which distinguishes the three shapes at any angle.
ROUNDNESS = {"circle": (0.85, 1.15), "square": (0.55, 0.75), "triangle": (0.32, 0.5)}


def draw(folder: Path, **spec: Any) -> subprocess.CompletedProcess[str]:
    """Run the program as the server does."""
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps({"program": "sample", "output": str(folder / "sample.zip")} | spec))
    command = [sys.executable, "-m", "app.worker.run", str(folder)]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sample") / "small"
    assert draw(folder, train=30, val=10, size=SIZE, seed=3).returncode == 0
    return contents(folder / "sample.zip")


def test_the_layout_is_yolo(files: dict[str, bytes]) -> None:
    assert yaml.safe_load(files["data.yaml"]) == {
        "train": "images/train",
        "val": "images/val",
        "names": {0: "circle", 1: "square", 2: "triangle"},
    }
    for split, count in (("train", 30), ("val", 10)):
        assert sum(name.startswith(f"images/{split}/") for name in files) == count
        assert sum(name.startswith(f"labels/{split}/") for name in files) == count


def test_no_two_images_have_one_name(files: dict[str, bytes]) -> None:
    """Otherwise the import of the sample would report renamed images."""
    names = [Path(name).name for name in files if name.startswith("images/")]
    assert len(set(names)) == len(names) == 40


def shape_at(image: Image.Image, x: float, y: float) -> np.ndarray:
    """The pixels (x, y) of the evenly coloured region around a point."""
    marked = image.copy()
    ImageDraw.floodfill(marked, (round(x), round(y)), MARK, thresh=90)
    rows, columns = np.nonzero((np.asarray(marked) == MARK).all(axis=2))
    return np.stack([columns, rows], axis=1) + 0.5


def test_each_label_is_the_box_and_the_kind_of_a_drawn_shape(files: dict[str, bytes]) -> None:
    names = list(yaml.safe_load(files["data.yaml"])["names"].values())
    kinds = set()
    for name in (name for name in files if name.startswith("images/")):
        image = Image.open(io.BytesIO(files[name])).convert("RGB")
        assert image.size == (SIZE, SIZE)
        lines = files[name.replace("images", "labels").replace(".jpg", ".txt")].decode().splitlines()
        assert 3 <= len(lines) <= 5
        for line in lines:
            kind, *numbers = line.split()
            x, y, width, height = (float(number) * SIZE for number in numbers)
            pixels = shape_at(image, x, y)
            bounds = (*pixels.min(axis=0), *pixels.max(axis=0))
            labelled = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            assert bounds == pytest.approx(labelled, abs=3), (name, line)
            centre = pixels.mean(axis=0)
            radius = np.linalg.norm(pixels - centre, axis=1).max()
            low, high = ROUNDNESS[names[int(kind)]]
            assert low < len(pixels) / (math.pi * radius**2) < high, (name, line)
            kinds.add(names[int(kind)])
    assert kinds == set(ROUNDNESS)


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert draw(tmp_path / folder, train=4, val=2, seed=seed).returncode == 0
    a, b, c = ((tmp_path / folder / "sample.zip").read_bytes() for folder in "abc")
    assert a == b
    assert a != c
    assert len({value for name, value in contents(tmp_path / "a" / "sample.zip").items() if "images/" in name}) == 6


def test_the_full_size_is_drawn_quickly_and_without_torch(tmp_path: Path) -> None:
    began = time.monotonic()
    assert draw(tmp_path / "full").returncode == 0
    assert time.monotonic() - began < 60  # about 2 s on an idle machine
    assert len(contents(tmp_path / "full" / "sample.zip")) == 2 * 300 + 1
    code = "import sys, app.worker.programs.sample; sys.exit(bool({'torch', 'ultralytics', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_failure_is_reported_and_leaves_no_files(tmp_path: Path) -> None:
    completed = draw(tmp_path / "bad", output=str(tmp_path / "nowhere" / "sample.zip"))
    assert completed.returncode == 1
    (line,) = (tmp_path / "bad" / "events.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert event["type"] == "Failed"
    assert "nowhere" in event["data"]["error"]
    completed = draw(tmp_path / "half", train=2, val=-1, size="wide")
    assert completed.returncode == 1
    assert not list((tmp_path / "half").glob("*.zip*"))
    assert not list((tmp_path / "half").glob(".*"))
