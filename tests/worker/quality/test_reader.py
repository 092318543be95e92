"""The quality check validates what a training reads of unusual images; images that are too costly are never decoded."""

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.worker import cost
from app.worker.picture import BadPicture, read, save
from app.worker.quality import ScanSpec, apply_fixes, scan
from app.worker.quality.examine import Examination
from app.worker.quality.reader import as_training
from tests.worker.quality.helpers import GOOD, NAMES, entries_of, pair, picture, write

SIZE = (48, 64)  # height, width
RAMP = np.tile(np.linspace(0, 1, SIZE[1], dtype=np.float32), (SIZE[0], 1))
RGB = np.dstack([RAMP, RAMP[:, ::-1], RAMP * 0.5])


def pillow(array: np.ndarray, form: str = "TIFF", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form, **options)
    return buffer.getvalue()


def opencv(array: np.ndarray, suffix: str = ".tif") -> bytes:
    return cv2.imencode(suffix, array)[1].tobytes()


def mode(name: str, form: str = "TIFF", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((RGB * 255).astype(np.uint8)).convert(name).save(buffer, form, **options)
    return buffer.getvalue()


def stack(*arrays: np.ndarray, **options: object) -> bytes:
    first, *rest = [Image.fromarray(array) for array in arrays]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=rest, **options)
    return buffer.getvalue()


GREY8, GREY16 = (RAMP * 255).astype(np.uint8), (RAMP * 65535).astype(np.uint16)
ODD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "float 0 to 1": (".tif", lambda: pillow(RAMP)),
    "float 0 to 255": (".tif", lambda: pillow(RAMP * 255)),
    "float colour": (".tif", lambda: opencv(RGB)),
    "float64": (".tif", lambda: opencv(RAMP.astype(np.float64))),
    "int32": (".tif", lambda: pillow((RAMP * 1e6).astype(np.int32))),
    "16 bit": (".tif", lambda: pillow(GREY16)),
    "16 bit colour": (".tif", lambda: opencv((RGB * 65535).astype(np.uint16))),
    "12 bit in 16": (".tif", lambda: pillow(GREY16 >> 8)),
    "lzw": (".tif", lambda: pillow(GREY8, compression="tiff_lzw")),
    "deflate": (".tiff", lambda: mode("RGB", compression="tiff_deflate")),
    "jpeg": (".tif", lambda: mode("RGB", compression="jpeg")),
    "packbits": (".tif", lambda: pillow(GREY8, compression="packbits")),
    "bilevel": (".tif", lambda: mode("1", compression="group4")),
    "palette": (".tif", lambda: mode("P")),
    "CMYK": (".tif", lambda: mode("CMYK")),
    "Lab": (".tif", lambda: mode("LAB")),
    "RGBA": (".tif", lambda: mode("RGBA")),
    "grey and alpha": (".tif", lambda: mode("LA")),
    "pages": (".tif", lambda: stack(GREY8, GREY8 // 2, GREY8 // 3)),
    "pages of sizes": (".tif", lambda: stack(GREY8, GREY8[:20, :20])),
    "colour pages": (".tif", lambda: stack((RGB * 255).astype(np.uint8), (RGB * 99).astype(np.uint8))),
    "turned": (".tif", lambda: pillow(GREY8, tiffinfo={274: 6})),
    "turned colour": (".tif", lambda: mode("RGB", tiffinfo={274: 6})),
    "16 bit PNG": (".png", lambda: pillow(GREY16, "PNG")),
    "CMYK JPEG": (".jpg", lambda: mode("CMYK", "JPEG")),
    "WebP": (".webp", lambda: mode("RGB", "WEBP")),
    "PNG called TIFF": (".tif", lambda: mode("RGB", "PNG")),
    "JPEG 2000": (".jp2", lambda: mode("RGB", "JPEG2000")),
}


@pytest.mark.parametrize("case", ODD)
def test_it_reads_as_ultralytics_reads(tmp_path: Path, case: str) -> None:
    from ultralytics.utils.patches import imread

    suffix, create = ODD[case]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(create())
    theirs, mine = imread(str(path)), as_training(path.read_bytes(), suffix)
    assert (theirs is None) == (mine is None)
    if theirs is not None and mine is not None:
        assert theirs.dtype == mine.dtype
        assert np.array_equal(theirs.reshape(mine.shape), mine)


@pytest.mark.parametrize("case", ODD)
def test_images_unusable_for_training_are_reported_and_fixable(tmp_path: Path, case: str) -> None:
    from ultralytics.utils.patches import imread

    suffix, create = ODD[case]
    write(
        tmp_path,
        pair("other", GOOD, picture("other")) | {f"images/train/a{suffix}": create(), "labels/train/a.txt": GOOD},
    )
    theirs = imread(str(tmp_path / f"images/train/a{suffix}"))
    entry = next(entry for entry in entries_of(tmp_path) if entry.name.startswith("a"))
    codes = {item["code"] for item in entry.picture.findings} & {"image_unread", "image_flat", "image_broken"}
    usable = theirs is not None and theirs.dtype == np.uint8 and theirs.shape[2] in {1, 3}
    assert bool(codes & {"image_unread", "image_broken"}) == (not usable)
    assert entry.picture.unsafe == (not usable), "what would end a training stays out of the revision"
    if usable and theirs is not None:
        assert (entry.picture.height, entry.picture.width) == theirs.shape[:2], "boxes are of what training sees"
    if codes - {"image_broken"}:  # what Pillow cannot read cannot be saved again

        def store(content: bytes, end: str) -> Path:
            path = tmp_path / f"new{end}"
            path.write_bytes(content)
            return path

        entries, _fixes = apply_fixes([entry], "all", Examination(NAMES), store, ScanSpec(10**8))
        assert not {item["code"] for item in entries[0].picture.findings} & {"image_unread", "image_flat"}
        pixels = imread(str(entries[0].image))
        assert pixels is not None
        assert pixels.dtype == np.uint8
        assert int(pixels.max()) - int(pixels.min()) > 64, "training sees the picture"


def test_floats_that_training_sees_black() -> None:
    from app.worker.quality.reader import trouble

    pixels = as_training(ODD["float 0 to 1"][1](), ".tif")
    assert trouble(pixels, GREY8) == "unread", "OpenCV gives nothing: the training would end there"
    assert trouble(np.zeros((*SIZE, 3), np.uint8), GREY8) == "flat"


def many_scans(count: int, size: tuple[int, int] = (8000, 8000)) -> bytes:
    """A progressive JPEG of 64 megapixels with empty scans, in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "JPEG", progressive=True)
    data = bytearray(buffer.getvalue())
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">2H", *size)
    refine = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00\x00"
    end = data.rindex(b"\xff\xd9")
    return bytes(data[:end] + refine * count + data[end:])


def test_scans_are_counted_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(many_scans(3000))
    assert path.stat().st_size < 60_000
    began = time.monotonic()
    record = next(scan([path], ScanSpec(10**8)))
    assert [item["code"] for item in record.findings if item["severity"] == "error"] == ["image_scans"]
    assert record.unsafe
    with pytest.raises(BadPicture) as caught:
        read(path, 10**8)
    assert caught.value.code == "too_costly"
    assert time.monotonic() - began < 10


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # it is corrupt
@pytest.mark.parametrize("rest", [0, 2, 40])
def test_a_tiff_that_is_cut_behind_its_first_page_is_damaged(tmp_path: Path, rest: int) -> None:
    buffer = io.BytesIO()
    page = Image.new("L", SIZE)
    page.save(buffer, "TIFF", save_all=True, append_images=[page])
    data = buffer.getvalue()
    second = int.from_bytes(data[118:122], "little")  # after a directory of 9 entries
    path = tmp_path / "a.tif"
    path.write_bytes(data[: second + rest])
    with pytest.raises(BadPicture) as caught:
        read(path, 10**8)
    assert caught.value.code == "cut_short"


def test_scans_of_sequential_jpegs_are_counted_unless_the_first_has_all() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 80).convert("RGB").save(buffer, "JPEG")
    data = buffer.getvalue()
    end = data.rindex(b"\xff\xd9")
    one = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00"
    assert cost.scans(io.BytesIO(data[:end] + one * 3000 + data[end:])) == 1, "no decoder looks behind the first"
    first = data.index(b"\xff\xda")
    assert cost.scans(io.BytesIO(data[:first] + one * 3000 + data[first:])) > cost.SCANS


def test_bytes_resembling_a_segment_hide_no_scan() -> None:
    """Decoders skip FF 00 itself, but not the length that seems to follow."""
    bomb = many_scans(2000, (64, 64))[2:]
    decoy = io.BytesIO()
    Image.new("L", (16, 16)).save(decoy, "JPEG")
    data = b"\xff\xd8" + b"\xff\x00" + struct.pack(">H", len(bomb) + 2) + bomb + decoy.getvalue()[2:]
    assert cost.scans(io.BytesIO(data)) > cost.SCANS


def test_pages_are_counted_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(stack(*[GREY8] * 50))
    record = next(scan([path], ScanSpec(SIZE[0] * SIZE[1] * 10)))
    assert "image_pages" in [item["code"] for item in record.findings]
    assert record.unsafe


def test_pages_count_for_the_time_that_is_usual(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(stack(*[GREY8] * 3))
    record = next(scan([path], ScanSpec(10**8)))
    assert (record.unsafe, record.frames) == (False, 3)


def test_honest_images_are_no_cost() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((400, 300), 80).convert("RGB").save(buffer, "JPEG", progressive=True, quality=97)
    buffer.seek(0)
    assert 1 < cost.scans(buffer) <= 30


def test_a_drawn_picture_fits_a_jpeg(tmp_path: Path) -> None:
    save(Image.new("RGB", (65_501, 10)), tmp_path / "wide.jpg")
    assert Image.open(tmp_path / "wide.jpg").size == (65_500, 9)
