"""The images of a ZIP: bounded in memory, ended immediately, and nothing but images."""

import io
import random
import threading
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from app.core.imports import ArchiveLimits
from app.worker.failures import StopRequested
from app.worker.images import source as source_module
from app.worker.images.source import ImageSource, Still
from app.worker.importing.members import MAX_LABEL
from app.worker.programs.predict_video import Ahead
from tests.data import zip_bytes

SIZE = (96, 64)
PIXELS = SIZE[0] * SIZE[1]


def drawn(size: tuple[int, int] = SIZE) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 120).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def opened(folder: Path, files: dict[str, bytes], max_pixels: int = 1_000_000) -> ImageSource:
    (folder / "sent.zip").write_bytes(zip_bytes(files))
    return ImageSource(folder / "sent.zip", folder, ArchiveLimits(min_free=0), max_pixels, 10)


def test_decoded_images_that_wait_are_bounded_in_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "PIXELS_IN_MEMORY", 2 * PIXELS)
    files = {f"{number}.jpg": drawn() for number in range(5)} | {"5.jpg": drawn((192, 128)), "6.jpg": drawn()}
    files |= {"7.jpg": b"no image", "8.jpg": drawn((2000, 1000))}
    images: list[Still] = []
    with opened(tmp_path, files) as source:
        for stills in source.pieces():
            assert sum(still.pixels.size // 3 for still in stills if still.pixels is not None) <= 4 * PIXELS
            images += stills
            assert not source.budget.fits(2 * PIXELS), "nothing was given back yet"
            source.release(stills)
        assert source.budget.fits(2 * PIXELS)
    assert [still.name for still in images] == [f"{number}.jpg" for number in range(9)]
    assert [still.code for still in images] == [""] * 7 + ["not_image", "too_many_pixels"]
    assert images[5].pixels.shape == (128, 192, 3)
    assert images[5].pixels.flags.writeable
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sent.zip"]


def decode_forever(_path: Path, _max_pixels: int) -> None:
    threading.Event().wait()


def test_a_stop_ends_what_is_being_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for its decoding, which may take minutes."""
    monkeypatch.setattr(source_module, "bgr_of", decode_forever)

    def check() -> None:
        if not source.budget.fits(source_module.PIXELS_IN_MEMORY):  # it has started
            raise StopRequested

    with (
        pytest.raises(StopRequested),
        opened(tmp_path, {"a.jpg": drawn(), "b.jpg": drawn()}) as source,
        Ahead(source.pieces(), 1, check) as pieces,
    ):
        list(pieces)


def test_labels_beside_the_images_are_ignored_whatever_they_are(tmp_path: Path) -> None:
    """An import refuses such label files; they are not read here."""
    content = random.Random(0).randbytes(MAX_LABEL + 1)
    files = {"a/b.jpg": drawn(), "a/b.txt": content, "a/B.TXT": b"0", "a/c.json": b"{", "data.yaml": b"", "n.gif": b""}
    with opened(tmp_path, files) as source:
        assert [member.entry.name for member in source.members] == ["a/b.jpg"]
        assert source.listing.skipped.total() == 5
        assert set(source.listing.skipped_names) == files.keys() - {"a/b.jpg"}
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.jpg", drawn())
        archive.writestr("1.txt", content)
    with opened(tmp_path, {"photos.zip": inner.getvalue()}) as source:
        assert [member.parts for member in source.members] == [("photos", "1.jpg")]
        assert source.listing.skipped_names == ["photos/1.txt"]
