"""HEIC and AVIF: in the revision a JPEG with the same pixels, which the reader of training decodes."""

import io
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageDraw

from app.worker.doctor import ScanSpec
from app.worker.doctor.scan import scan
from app.worker.formats.sizes import image_size
from tests.data import image_bytes
from tests.worker.test_ingest import ingest, put

IMAGES = Path(__file__).parents[1] / "fixtures" / "images"
ROW = "0 0.21875 0.25 0.3125 0.333333\n"  # the red rectangle


def drawn() -> Image.Image:
    """What the fixtures show."""
    image = Image.new("RGB", (160, 120), (40, 60, 90))
    ImageDraw.Draw(image).rectangle((10, 10, 59, 49), fill=(200, 30, 30))
    ImageDraw.Draw(image).rectangle((90, 60, 139, 109), fill=(30, 180, 60))
    return image


def avif(turn: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = turn
    image = drawn().rotate(90, expand=True) if turn == 6 else drawn()
    image.save(file, "AVIF", quality=90, exif=exif.tobytes())
    return file.getvalue()


def jpeg() -> bytes:
    file = io.BytesIO()
    drawn().save(file, "JPEG", quality=95)
    return file.getvalue()


def phone() -> dict[str, bytes | str]:
    """A dataset as telephones fill it: every kind in both splits, one image twice, and one that is not what it says."""
    images = {
        "train/a.HEIC": (IMAGES / "plain.heic").read_bytes(), "train/b.heif": (IMAGES / "turned.heic").read_bytes(),
        "train/c.avif": avif(), "train/d.HEIC": avif(6), "train/e.jpg": (IMAGES / "plain.heic").read_bytes(),
        "train/f.JPG": jpeg(), "train/f.HEIC": (IMAGES / "plain.heic").read_bytes(), "train/g.jfif": jpeg(),
        "val/h.HEIC": (IMAGES / "turned.heic").read_bytes(),
    }  # fmt: skip
    files: dict[str, bytes | str] = {f"images/{name}": content for name, content in images.items()}
    files |= {f"labels/{name.rpartition('.')[0]}.txt": ROW for name in images}
    return files | {"data.yaml": "names: [thing]\n"}


def test_they_are_jpegs_in_the_revision(tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "1"
    put(folder, phone())
    result = ingest(folder)[-1]
    assert (result.usable, result.images) == ({"train": 8, "val": 1, "test": 0},) * 2
    assert result.findings["image_converted"] == 7
    told = {item["data"]["format"]: item["data"]["count"] for item in result.decisions
            if item["code"] == "images_converted"}  # fmt: skip
    assert told == {"AVIF": 2, "HEIC": 5}
    images = sorted(path for path in (folder / "revisions/1/images").rglob("*") if path.is_file())
    assert {path.suffix.lower() for path in images} == {".jpg"}
    for path in images:
        label = folder / "revisions/1/labels" / path.parent.name / f"{path.stem}.txt"
        assert label.read_text() == ROW, path.name
        pixels = cv2.imread(str(path))[:, :, ::-1]
        assert numpy.abs(pixels.astype(int) - numpy.asarray(drawn()).astype(int)).mean() < 2, path.name
    assert sorted(path.name for path in folder.iterdir()) == ["revisions", "source", "thumbnails"]
    assert (folder / "source/images/train/a.HEIC").read_bytes() == (IMAGES / "plain.heic").read_bytes()
    assert ingest(folder, 2)[-1].hash == result.hash, "the same bytes each time"


def test_a_dataset_of_heic_alone_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    put(folder, {f"images/{split}/{n}.heic": (IMAGES / f"{kind}.heic").read_bytes()
                 for split, kind in (("train", "plain"), ("val", "turned")) for n in range(2)}
        | {f"labels/{split}/{n}.txt": ROW for split in ("train", "val") for n in range(2)})  # fmt: skip
    assert ingest(folder)[-1].usable == {"train": 2, "val": 2, "test": 0}


@pytest.mark.parametrize("kind", ["plain", "turned"])
def test_their_size_is_that_of_the_displayed_image(kind: str) -> None:
    assert image_size(IMAGES / f"{kind}.heic") == (160, 120)


def test_damaged_and_huge_ones(tmp_path: Path) -> None:
    whole = (IMAGES / "plain.heic").read_bytes()
    cases = {"cut.heic": whole[:600], "head.heic": whole[:40], "empty.heic": b"", "text.avif": b"no image",
             "other.heic": image_bytes()}  # fmt: skip
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    spec = ScanSpec(64_000_000, converted=tmp_path / "converted")
    found = dict(zip(cases, scan([tmp_path / name for name in cases], spec), strict=True))
    assert {name: picture.unsafe for name, picture in found.items()} == dict.fromkeys(cases, True) | {
        "other.heic": False
    }
    assert found["other.heic"].stored is None
    (tmp_path / "whole.heic").write_bytes(whole)
    [large] = scan([tmp_path / "whole.heic"], ScanSpec(10_000, converted=tmp_path / "converted"))
    assert "image_too_large" in [item["code"] for item in large.findings]
    assert large.stored is None
