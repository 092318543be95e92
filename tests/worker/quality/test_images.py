"""Images: damaged ones are detected, rotated ones are turned upright, each is measured; in a single scan."""

import hashlib
import io
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from app.worker.formats.sizes import image_size
from app.worker.picture import read as picture_for_test
from app.worker.quality import ImageRecord, Scan, ScanSpec, scan
from app.worker.quality.scan import read_picture
from tests.data import image_bytes
from tests.worker.quality.helpers import GOOD, codes, entries_of, judged, picture, write


def damaged_images() -> dict[str, tuple[str, bytes, str, str]]:
    """By name: suffix, bytes, the finding's severity and code."""
    jpeg, png = image_bytes((640, 480)), image_bytes((64, 48), form="PNG")
    noise = Image.frombytes("RGB", (200, 200), random.Random(0).randbytes(120_000))
    webp, one_bit = io.BytesIO(), io.BytesIO()
    noise.save(webp, "WEBP", lossless=True)
    Image.new("1", (13_000, 13_000)).save(one_bit, "PNG")
    assert len(one_bit.getvalue()) < 40_000
    return {
        "text": ("jpg", b"this is no image", "error", "image_broken"),
        "nothing": ("jpg", b"", "error", "image_broken"),
        "half": ("jpg", jpeg[: len(jpeg) // 2], "error", "image_broken"),
        "half_webp": ("webp", webp.getvalue()[:20_000], "error", "image_broken"),
        "flipped": ("png", png[:60] + bytes([png[60] ^ 255]) + png[61:], "error", "image_broken"),
        "svg": ("png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "error", "image_broken"),
        "postscript": ("jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EOF\n", "error", "image_broken"),
        "gif": ("jpg", image_bytes(form="GIF"), "error", "image_format"),
        "bomb": ("png", one_bit.getvalue(), "error", "image_too_large"),
        "tiny": ("jpg", image_bytes((9, 40), (1, 1, 2, 2)), "error", "image_too_small"),
        "disguised": ("jpg", png, "warning", "image_disguised"),
        "no_label": ("jpg", picture("no_label"), "info", "label_missing"),
        "turned": ("jpg", turned(6), "info", "exif_rotated"),
        "no_end": ("jpg", jpeg[:-2], "info", "jpeg_end_missing"),
    }


def turned(orientation: int, form: str = "JPEG", size: tuple[int, int] = (80, 40)) -> bytes:
    """An image with a bright left end, stored with an EXIF orientation."""
    image = Image.new("RGB", size, (40, 40, 40))
    ImageDraw.Draw(image).rectangle((0, 0, 19, 39), fill=(250, 250, 250))
    exif = Image.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    image.save(buffer, form, exif=exif)
    return buffer.getvalue()


def read(content: bytes, tmp_path: Path, suffix: str = ".jpg") -> ImageRecord:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    return read_picture(path, 64_000_000)


def test_damaged_images(tmp_path: Path) -> None:
    damaged = damaged_images()
    for name, (suffix, content, _, _) in damaged.items():
        write(tmp_path, {f"images/train/{name}.{suffix}": content})
        if name != "no_label":
            write(tmp_path, {f"labels/train/{name}.txt": GOOD})
    entries = entries_of(tmp_path)
    report, findings = judged(tmp_path, entries)
    verdicts = {
        Path(item["file"]).stem: (item["severity"], item["code"])
        for item in findings
        if item["code"] not in {"image_tiny", "image_blank"} and item["file"]
    }
    assert verdicts == {name: (severity, code) for name, (_, _, severity, code) in damaged.items()}
    assert report.images["train"] == len(damaged)
    assert report.usable["train"] == sum(severity != "error" for _, _, severity, _ in damaged.values())
    unsafe = {Path(entry.name).stem for entry in entries if entry.picture.unsafe}
    assert unsafe == {name for name, entry in damaged.items() if entry[3] in {"image_broken", "image_too_large"}}


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_detected(tmp_path: Path, progressive: bool) -> None:
    """It is decoded at a reduced size, but its stream is read to the end."""
    noise = Image.frombytes("RGB", (640, 480), random.Random(1).randbytes(921_600))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=60, progressive=progressive)
    complete = buffer.getvalue()
    assert codes(read(complete, tmp_path).findings) == []
    for percent in (5, 30, 60, 90, 99):
        cut = read(complete[: len(complete) * percent // 100], tmp_path)
        cut.findings = [item for item in cut.findings if item["code"] != "jpeg_end_missing"]
        assert (codes(cut.findings), cut.unsafe) == (["image_broken"], True), percent


def test_a_missing_end_is_mended_without_loss(tmp_path: Path) -> None:
    """Something follows the end marker, as some cameras write it. Ultralytics would save the image again."""
    content = picture("whole") + b"\0\0\0"
    record = read(content, tmp_path)
    assert (record.tail, record.usable, record.bytes) == (b"\xff\xd9", True, len(content) + 2)
    assert codes(record.findings) == ["jpeg_end_missing"]
    assert record.sha256 == hashlib.sha256(content + record.tail).hexdigest()
    again = read(content + record.tail, tmp_path)
    assert (again.tail, codes(again.findings), again.phash) == (b"", [], record.phash)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16", "1", "LA"])
def test_odd_modes_are_fine(tmp_path: Path, mode: str) -> None:
    form, suffix = ("JPEG", ".jpg") if mode == "CMYK" else ("PNG", ".png")
    buffer = io.BytesIO()
    Image.new(mode, (400, 300)).save(buffer, form)
    record = read(buffer.getvalue(), tmp_path, suffix)
    assert (record.usable, codes(record.findings)) == (True, ["image_blank"])


def stored(form: str, orientation: int, mark: str = "exif") -> bytes:
    """An image of 80 × 40 pixels with a bright left upper corner, and its orientation in one of the possible places."""
    image, buffer = Image.new("RGB", (80, 40), (20, 20, 20)), io.BytesIO()
    image.paste((240, 240, 240), (0, 0, 40, 20))
    exif = Image.Exif()
    exif[274] = orientation
    more: dict[str, Any] = {"exif": exif.tobytes()}
    if mark == "xmp":
        more = {"xmp": XMP % orientation}
    elif form == "TIFF":
        more = {"tiffinfo": {274: orientation}}
    elif form == "MPO":
        more |= {"save_all": True, "append_images": [image]}
    elif form == "WEBP":
        more |= {"lossless": True}
    (image.convert("L") if mark == "grey" else image).save(buffer, form, **more)
    content = buffer.getvalue()
    if mark == "late":  # the chunk after the pixels, as exiftool may write it
        at = content.index(b"eXIf") - 4
        length = int.from_bytes(content[at : at + 4]) + 12
        chunk, rest = content[at : at + length], content[:at] + content[at + length :]
        end = rest.index(b"IEND") - 4
        content = rest[:end] + chunk + rest[end:]
    return content


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF>'
    b"</x:xmpmeta>"
)
CONTAINERS = {
    "JPEG": ("jpg", "JPEG", "exif"),
    "MPO": ("jpg", "MPO", "exif"),
    "PNG": ("png", "PNG", "exif"),
    "PNG, chunk at the end": ("png", "PNG", "late"),
    "WebP": ("webp", "WEBP", "exif"),
    "TIFF": ("tif", "TIFF", "exif"),
    "grey TIFF": ("tif", "TIFF", "grey"),
    "AVIF": ("avif", "AVIF", "exif"),
    "JPEG, XMP": ("jpg", "JPEG", "xmp"),
    "WebP, XMP": ("webp", "WEBP", "xmp"),
}


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_jpeg_called_tiff_gets_its_name(tmp_path: Path, orientation: int) -> None:
    """With the wrong one the reader of training would not rotate it."""
    path = tmp_path / "image.tif"
    path.write_bytes(stored("JPEG", orientation))
    (record,) = scan([path], ScanSpec(64_000_000, converted=tmp_path / "converted"))
    assert record.stored
    assert (record.stored.suffix, record.stored.read_bytes()) == (".jpg", path.read_bytes())
    assert (record.width < record.height, "image_disguised" in codes(record.findings)) == (orientation == 6, False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", CONTAINERS)
def test_turned_as_training_sees_it(tmp_path: Path, orientation: int, container: str) -> None:
    """Size and thumbnail of the import, the size for its annotations, and the image of a test are those of the image
    returned by the reader of training.
    """
    import cv2
    from ultralytics.utils.patches import imread

    suffix, form, mark = CONTAINERS[container]
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(stored(form, orientation, mark))
    theirs = imread(str(path), cv2.IMREAD_COLOR)
    assert theirs is not None
    (record,) = scan([path], ScanSpec(64_000_000, tmp_path / "thumbnails"))
    assert (record.height, record.width) == theirs.shape[:2]
    if suffix != "avif":
        assert image_size(path) == (record.width, record.height)
    thumbnail = Image.open(tmp_path / "thumbnails" / record.sha256[:2] / f"{record.sha256}.webp").convert("L")
    tested = picture_for_test(path, 10**6).convert("L")
    for ours in (thumbnail, tested):
        assert ours.size == (record.width, record.height)
        for x, y in ((4, 4), (-5, 4), (4, -5), (-5, -5)):
            at = (x % record.width, y % record.height)
            assert (ours.getpixel(at) > 128) == (theirs[at[1], at[0]].mean() > 128), at
    assert ("exif_rotated" in codes(record.findings)) == (orientation > 1 and mark != "xmp" and form != "TIFF")


def test_blurred_dark_and_blank_of_real_photographs(bccd_yolo: Path, tmp_path: Path) -> None:
    """No false alarm on 60 photographs of blood cells; the degraded ones are detected."""
    import zipfile

    findings: dict[str, list[list[str]]] = {name: [] for name in ("as it is", "blurred", "dark", "blank")}
    with zipfile.ZipFile(bccd_yolo) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][::6]
        for name in names:
            photograph = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            variants = {
                "as it is": photograph,
                "blurred": photograph.filter(ImageFilter.GaussianBlur(8)),
                "dark": ImageEnhance.Brightness(photograph).enhance(0.25),
                "blank": Image.new("RGB", photograph.size, photograph.getpixel((5, 5))),
            }
            for kind, image in variants.items():
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=90)
                findings[kind].append(codes(read(buffer.getvalue(), tmp_path).findings))
    assert len(names) == 61
    assert all(image_codes == [] for image_codes in findings["as it is"])
    assert sum("image_blurred" in image_codes for image_codes in findings["blurred"]) >= 0.9 * len(names)
    assert all(image_codes == ["image_dark"] for image_codes in findings["dark"])
    assert all(image_codes == ["image_blank"] for image_codes in findings["blank"])


def test_the_hash_is_that_of_imagehash() -> None:
    import imagehash

    from app.worker.quality.measure import phash

    for number in range(20):
        grey = Image.open(io.BytesIO(picture(str(number), size=(320, 240)))).convert("L").resize((32, 32))
        theirs = imagehash.phash(grey)
        assert (phash(np.asarray(grey)) ^ int(str(theirs), 16)).bit_count() <= 2, "rounding about the median"


def test_the_header_of_a_jpeg_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    def open_image(source: Any, formats: list[str]) -> Image.Image:
        opened.append(source)
        return Image.open(source, formats=formats)

    for module in ("header", "pixels"):
        monkeypatch.setattr(import_module(f"app.worker.quality.{module}"), "open_image", open_image)
    (tmp_path / "a.jpg").write_bytes(picture("a"))
    record = read_picture(tmp_path / "a.jpg", 10**8, tmp_path / "thumbnails")
    assert record.thumbnail
    assert not record.findings
    assert len(opened) == 1


def test_a_large_file_is_read_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(picture("a"))
    expected = read_picture(tmp_path / "a.jpg", 10**8, tmp_path / "thumbnails")
    monkeypatch.setattr(import_module("app.worker.quality.scan"), "IN_MEMORY", 0)
    record = read_picture(tmp_path / "a.jpg", 10**8, tmp_path / "thumbnails")
    record.seconds = expected.seconds
    assert record == expected


def test_thumbnails_are_created_once(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, {f"{name}.jpg": picture("same" if name != "c" else "other", size=(1000, 500))})
    paths = sorted(tmp_path.glob("*.jpg"))
    folder = tmp_path / "thumbnails"
    records = list(scan(paths, ScanSpec(64_000_000, folder)))
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert {path.stem for path in files} == {item.sha256 for item in records}
    assert len(files) == 2
    assert all(Image.open(path).size == (240, 120) for path in files)
    first = min(files)
    before = first.stat().st_mtime_ns
    max(files).write_bytes(b"")  # as after a crash
    list(scan(paths, ScanSpec(64_000_000, folder)))
    assert first.stat().st_mtime_ns == before
    assert max(files).stat().st_size > 0


def test_order_progress_and_an_early_end(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path, {f"{number:02}.jpg": picture(str(number), size=(20 + number, 64))})
    paths = sorted(tmp_path.glob("*.jpg"))
    steps: list[tuple[int, int]] = []
    records = list(scan(paths, ScanSpec(64_000_000, workers=4), lambda *step: steps.append(step)))
    assert [item.width for item in records] == [20 + number for number in range(30)]
    assert steps == [(number, 30) for number in range(1, 31)]
    assert next(iter(scan(paths, ScanSpec(64_000_000)))).width == 20
    with pytest.raises(FileNotFoundError):
        list(scan([tmp_path / "none.jpg"], ScanSpec(64_000_000)))


def test_very_large_and_very_small(tmp_path: Path) -> None:
    for size, code in (((4200, 60), "image_large"), ((40, 40), "image_tiny")):
        record = read(image_bytes(size, (1, 1, 20, 20)), tmp_path)
        assert code in codes(record.findings)
    huge = io.BytesIO()
    Image.new("L", (5000, 4000), 100).save(huge, "PNG")
    assert read(huge.getvalue(), tmp_path, ".png").usable


def test_begun_reads_are_reused_within_their_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started or not, requested or not: each path gets its own image, and unused ones are dropped."""
    write(tmp_path, {f"{side}.png": image_bytes((side, 30), form="PNG") for side in range(20, 28)})
    paths = sorted(tmp_path.glob("*.png"))
    monkeypatch.setattr(import_module("app.worker.quality.scan"), "EARLY", 5)  # the package has a function of this name
    with Scan(ScanSpec(64_000_000)) as running:
        for path in paths:
            running.begin(path)
        assert len(running.begun) == 5
        records = list(running.pictures(paths[2:]))
        assert not running.begun
    assert [picture.width for picture in records] == list(range(22, 28))
