"""HEIC and AVIF: a JPEG with the same pixels in the revision, decoded by the reader of training."""

import io
import struct
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageDraw

from app.worker.formats.sizes import image_size
from app.worker.quality import ScanSpec
from app.worker.quality.scan import scan
from tests.data import image_bytes
from tests.worker.test_ingest import ingest, write_source

IMAGES = Path(__file__).parents[1] / "fixtures" / "images"
ROW = "0 0.21875 0.25 0.3125 0.333333\n"  # the red rectangle


def drawn() -> Image.Image:
    """The image in the fixtures."""
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


def marked(kind: bytes, value: int) -> bytes:
    """plain.heic with a property that rotates (`irot`: quarters counterclockwise) or mirrors it (`imir`: its axis), and
    no EXIF: cameras and editors other than phones write only these.
    """
    data = (IMAGES / "plain.heic").read_bytes()
    at = {name: data.index(name) - 4 for name in (b"meta", b"iloc", b"iprp", b"ipco", b"ipma")}
    content = bytearray(data)
    box, longer = struct.pack(">I4sB", 9, kind, value), 10  # bytes: the box, and its index in the list of properties
    grow(content, at[b"meta"], longer)
    grow(content, at[b"iprp"], longer)
    grow(content, at[b"ipco"], len(box))
    grow(content, at[b"ipma"], 1)
    grow(content, at[b"iloc"] + 26, longer)  # the position of the pixels
    count = at[b"ipma"] + 18
    content[count] += 1
    content.insert(count + content[count], 0x80 | content[count])  # essential
    content[at[b"ipma"] : at[b"ipma"]] = box
    return bytes(content)


def grow(data: bytearray, at: int, by: int) -> None:
    """Add to a number of four bytes."""
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)


def jpeg() -> bytes:
    file = io.BytesIO()
    drawn().save(file, "JPEG", quality=95)
    return file.getvalue()


def phone() -> dict[str, bytes | str]:
    """A dataset as from phones: every kind in both splits, one image twice, and one that is not what its name says."""
    images = {
        "train/a.HEIC": (IMAGES / "plain.heic").read_bytes(),
        "train/b.heif": (IMAGES / "turned.heic").read_bytes(),
        "train/c.avif": avif(),
        "train/d.HEIC": avif(6),
        "train/e.jpg": (IMAGES / "plain.heic").read_bytes(),
        "train/f.JPG": jpeg(),
        "train/f.HEIC": (IMAGES / "plain.heic").read_bytes(),
        "train/g.jfif": jpeg(),
        "val/h.HEIC": (IMAGES / "turned.heic").read_bytes(),
    }
    files: dict[str, bytes | str] = {f"images/{name}": content for name, content in images.items()}
    files |= {f"labels/{name.rpartition('.')[0]}.txt": ROW for name in images}
    return files | {"data.yaml": "names: [thing]\n"}


def test_they_are_jpegs_in_the_revision(tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "1"
    write_source(folder, phone())
    result = ingest(folder)[-1]
    assert (result.usable, result.images) == ({"train": 8, "val": 1, "test": 0},) * 2
    assert result.findings["image_converted"] == 7
    recoded = {
        item["data"]["format"]: item["data"]["count"] for item in result.decisions if item["code"] == "images_converted"
    }
    assert recoded == {"AVIF": 2, "HEIC": 5}
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
    write_source(
        folder,
        {
            f"images/{split}/{n}.heic": (IMAGES / f"{kind}.heic").read_bytes()
            for split, kind in (("train", "plain"), ("val", "turned"))
            for n in range(2)
        }
        | {f"labels/{split}/{n}.txt": ROW for split in ("train", "val") for n in range(2)},
    )
    assert ingest(folder)[-1].usable == {"train": 2, "val": 2, "test": 0}


@pytest.mark.parametrize("kind", ["plain", "turned"])
def test_their_size_is_that_of_the_displayed_image(kind: str) -> None:
    assert image_size(IMAGES / f"{kind}.heic") == (160, 120)


MARKS = {
    "a quarter": (b"irot", 1, Image.Transpose.ROTATE_90),
    "upside down": (b"irot", 2, Image.Transpose.ROTATE_180),
    "three quarters": (b"irot", 3, Image.Transpose.ROTATE_270),
    "mirrored": (b"imir", 1, Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("name", [*MARKS])
def test_heic_rotated_by_its_irot_and_imir_boxes(tmp_path: Path, name: str) -> None:
    """One rule: the size, the thumbnail and what training reads are those of the image as it is displayed."""
    kind, value, way = MARKS[name]
    path = tmp_path / "turned.heic"
    path.write_bytes(marked(kind, value))
    expected = drawn().transpose(way)
    assert image_size(path) == expected.size
    [picture] = scan([path], ScanSpec(64_000_000, tmp_path / "thumbnails", converted=tmp_path / "converted"))
    assert (picture.width, picture.height) == expected.size
    assert picture.stored
    for result in (Path(picture.stored), *(tmp_path / "thumbnails").rglob("*.webp")):
        with Image.open(result) as image:
            pixels = numpy.asarray(image.convert("RGB").resize(expected.size))
        assert numpy.abs(pixels.astype(int) - numpy.asarray(expected).astype(int)).mean() < 6, result.name


def test_damaged_and_huge_ones(tmp_path: Path) -> None:
    intact = (IMAGES / "plain.heic").read_bytes()
    cases = {
        "cut.heic": intact[:600],
        "head.heic": intact[:40],
        "empty.heic": b"",
        "text.avif": b"no image",
        "other.heic": image_bytes(),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    spec = ScanSpec(64_000_000, converted=tmp_path / "converted")
    records = dict(zip(cases, scan([tmp_path / name for name in cases], spec), strict=True))
    assert {name: picture.unsafe for name, picture in records.items()} == dict.fromkeys(cases, True) | {
        "other.heic": False
    }
    assert records["other.heic"].stored is None
    (tmp_path / "whole.heic").write_bytes(intact)
    [large] = scan([tmp_path / "whole.heic"], ScanSpec(10_000, converted=tmp_path / "converted"))
    assert "image_too_large" in [item["code"] for item in large.findings]
    assert large.stored is None
