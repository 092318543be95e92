"""Drawn boxes, written as each tool writes them, and read: the same boxes under the same names."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.formats import KEYS
from app.worker.formats import READERS
from tests.worker.formats.helpers import SIZE, boxes, pictures, read_dataset, write
from tests.worker.formats.writers import CLASSES, WRITERS, Box


@st.composite
def drawn_box(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(0, SIZE[0] - 4)), draw(st.integers(0, SIZE[1] - 4))
    right, bottom = draw(st.integers(left + 3, SIZE[0])), draw(st.integers(top + 3, SIZE[1]))
    return draw(st.sampled_from(CLASSES)), left, top, right, bottom


DRAWN = st.lists(st.lists(drawn_box(), max_size=4), min_size=2, max_size=3).filter(
    lambda images: sum(map(len, images)) > 1 and images[0]
)


@pytest.mark.parametrize("tool", WRITERS)
@settings(max_examples=6, deadline=None)
@given(images=DRAWN)
def test_boxes_come_back(tool: str, images: list[list[Box]]) -> None:
    """Outlines of masks are cut at their corners by less than a pixel: their boxes are those that were drawn."""
    key, writer = WRITERS[tool]
    expected = {f"frame {number}.jpg": boxes_ for number, boxes_ in enumerate(images)}
    with tempfile.TemporaryDirectory() as directory:
        folder = write(Path(directory), pictures(*(f"pics/{name}" for name in expected)) | writer(expected))
        source = read_dataset(folder)
        by_image = boxes(folder, source)
    assert source.format == key
    assert key in KEYS
    for name, boxes_ in expected.items():
        got = by_image.get(name.removesuffix(".jpg"), [])
        assert sorted((source.names[int(kind)], *map(round, directory)) for kind, *directory in got) == sorted(
            boxes_
        ), name


def test_every_format_has_a_reader() -> None:
    assert set(READERS) == set(KEYS)


def test_readers_are_loaded_when_they_are_needed() -> None:
    """An import starts a second after its upload: most datasets need one reader of nineteen."""
    code = "import sys, app.worker.programs.import_dataset; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "app.worker.formats.yolo" in loaded
    assert not {"app.worker.formats.coco", "app.worker.formats.drafts", "pi_heif"}.intersection(loaded)
