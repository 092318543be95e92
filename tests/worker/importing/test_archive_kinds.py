"""Archives as users upload them: old code pages, duplicates, whole home paths, a ZIP in a ZIP; and files that are no
ZIP at all.
"""

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from app.core.imports import ArchiveLimits
from app.errors import BadUpload, NoSpace, Unprocessable
from tests.data import image_bytes, yolo_files, yolo_zip, zip_bytes
from tests.worker.importing.archives import ROOMY, bring, stored


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "staging"


def tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("images/a.jpg"), io.BytesIO(b""))
    return buffer.getvalue()


def part_of_split() -> bytes:
    """The last of several parts: according to its end record it is on disk 2."""
    data = bytearray(yolo_zip(2, 1))
    data[data.rindex(b"PK\5\6") + 4 : data.rindex(b"PK\5\6") + 8] = struct.pack("<2H", 2, 2)
    return bytes(data)


NO_ZIP = {
    "RAR": (b"Rar!\x1a\x07\x01\0" + bytes(50), "RAR"),
    "RAR 4": (b"Rar!\x1a\x07\0" + bytes(50), "RAR"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(50), "7-Zip"),
    "tar": (tar("w"), "tar"),
    "tar.gz": (tar("w:gz"), "tar.gz"),
    "gzip": (gzip.compress(b"hello" * 99), "gzip"),
    "tar.bz2": (tar("w:bz2"), "bzip2"),
    "xz": (tar("w:xz"), "xz"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(50), "Zstandard"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "HTML": (b"\n<!DOCTYPE html><html><title>Sign in</title>", "web page"),
    "HTML 2": (b"\xef\xbb\xbf<!-- saved -->\n<HTML>", "web page"),
    "XHTML": (b"<?xml version='1.0'?><html>", "web page"),
    "error as XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
    "error as JSON": (b'{"error": "not found"}', "JSON"),
    "text": (b"404: Not Found\n", "text file"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "image": (image_bytes(), "JPEG"),
    "PNG": (image_bytes(form="PNG"), "PNG"),
    "video": (b"\0\0\0\x20ftypisom" + bytes(9), "video"),
    "empty": (b"", "empty"),
    "last part": (part_of_split(), "one part of a split ZIP"),
    "last part, cut by bytes": (yolo_zip()[2000:], "last part of a split ZIP"),
    "first part": (yolo_zip()[:2000], "first part of a split ZIP"),
    "first part, marked": (b"PK\7\x08" + yolo_zip()[:2000], "one part of a split ZIP"),
    "nobody knows": (b"\1\2\3\4" * 50, "not a ZIP"),
}


@pytest.mark.parametrize("case", NO_ZIP)
def test_what_is_no_zip_is_called_what_it_is(folder: Path, case: str) -> None:
    data, words = NO_ZIP[case]
    with pytest.raises(BadUpload) as caught:
        bring(folder, data)
    assert words in str(caught.value.detail)
    assert "ZIP" in str(caught.value.detail), "and what to do"


def renamed(data: bytes, names: dict[str, bytes], flags: int = 0) -> bytes:
    """The ZIP with members under other bytes of the same length, without the UTF-8 flag."""
    body = bytearray(data)
    for old, new in names.items():
        key = old.encode()
        assert len(key) == len(new)
        for start in (body.index(key), body.rindex(key)):
            body[start : start + len(key)] = new
    return bytes(body)


@pytest.mark.parametrize(
    ("encoding", "above", "stem"),
    [
        ("gbk", "数据集", "图片"),
        ("cp932", "データ", "写真"),
        ("cp866", "данные", "снимок"),
        ("cp850", "câmera", "caminhão"),
        ("cp437", "straße", "prüfung"),
        ("cp950", "資料集", "圖片"),
        ("cp949", "데이터", "사진"),
        ("cp1251", "данные", "снимок"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_names_in_old_code_pages(
    folder: Path,
    encoding: str,
    above: str,
    stem: str,
    listed: bool,
) -> None:
    raw = {f"F/{number}.jpg": f"{above}/images/{stem}_{number}.jpg".encode(encoding) for number in range(3)}
    raw |= {f"F/{number}.txt": f"{above}/labels/{stem}_{number}.txt".encode(encoding) for number in range(3)}
    names = {old + "_" * (len(new) - len(old)): new for old, new in raw.items()}
    files: dict[str, bytes | str] = {name: image_bytes() if ".jpg" in name else "0 .5 .5 .1 .1\n" for name in names}
    if listed:  # the annotation file names the images in UTF-8
        files["all.json"] = json.dumps([{"file_name": f"{stem}_{number}.jpg"} for number in range(3)])
    staged = bring(folder, renamed(zip_bytes(files), names))
    assert f"{above}/images/{stem}_0.jpg" in stored(folder)
    assert [note["code"] for note in staged.notes] == ["names_decoded"]


def test_the_annotation_file_decides_between_code_pages(folder: Path) -> None:
    """Two letters that are plausible in several: Cyrillic for a Greek console would not be guessed."""
    stem = "λκ"
    names = {"__.jpg": f"{stem}.jpg".encode("cp737")}
    files: dict[str, bytes | str] = {"__.jpg": image_bytes(), "a.json": json.dumps({"file_name": f"{stem}.jpg"})}
    bring(folder, renamed(zip_bytes(files), names))
    assert stored(folder) == ["a.json", f"{stem}.jpg"]


def test_the_unicode_path_field_has_the_last_word(folder: Path) -> None:
    buffer, raw, name = io.BytesIO(), b"???.jpg", "图片.jpg"
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("QQQ.jpg")
        body = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
        info.extra = struct.pack("<2H", 0x7075, len(body)) + body
        archive.writestr(info, image_bytes())
    bring(folder, buffer.getvalue().replace(b"QQQ.jpg", raw))
    assert stored(folder) == [name]


def twice(change: bytes | None) -> bytes:
    buffer = io.BytesIO(yolo_zip(2, 1))
    content = image_bytes(box=(16, 12, 48, 36))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("images/train/000.jpg", content if change is None else change)
    return buffer.getvalue()


def test_equal_twins_are_extracted_once(folder: Path) -> None:
    staged = bring(folder, twice(None))
    assert stored(folder) == sorted(yolo_files(2, 1))
    assert staged.notes == [{"code": "members_twice", "data": {"count": 1, "first": "images/train/000.jpg"}}]


def test_twins_that_differ_are_refused(folder: Path) -> None:
    with pytest.raises(Unprocessable, match=r"images/train/000\.jpg twice, with different contents"):
        bring(folder, twice(b"x"))


def test_a_home_path_is_cut_off_entirely(folder: Path) -> None:
    above = "home/user/work/2024/projects/customer/site/line3/cv/datasets/v2"
    files = {f"{above}/{name}": content for name, content in yolo_files(2, 1).items()} | {"README.txt": "hello"}
    staged = bring(folder, zip_bytes(files))
    assert "README.txt" in stored(folder)
    assert any(name.endswith("datasets/v2/images/train/000.jpg") for name in stored(folder))
    assert [note["code"] for note in staged.notes] == ["folders_cut"]
    assert staged.renamed["count"] == 0


def test_a_zip_in_a_zip_is_opened(folder: Path) -> None:
    outer = zip_bytes({"data/train.zip": yolo_zip(2, 1), "data/README.txt": "see train.zip"})
    staged = bring(folder, outer)
    assert stored(folder) == sorted(["data/README.txt", *(f"data/train/{name}" for name in yolo_files(2, 1))])
    assert [note["code"] for note in staged.notes] == ["zips_opened"]


def test_images_and_labels_in_separate_zips(folder: Path) -> None:
    files = yolo_files(2, 1)
    images = {name.removeprefix("images/"): body for name, body in files.items() if name.startswith("images/")}
    labels = {name: body for name, body in files.items() if name.startswith("labels/")}  # it contains its own folder
    outer = zip_bytes(
        {"images.zip": zip_bytes(images), "labels.zip": zip_bytes(labels), "data.yaml": files["data.yaml"]}
    )
    bring(folder, outer)
    assert stored(folder) == sorted(files)


def test_images_beside_a_zip_of_their_labels(folder: Path) -> None:
    files = yolo_files(2, 1)
    labels = {name: body for name, body in files.items() if not name.startswith("images/")}
    images = {name: body for name, body in files.items() if name.startswith("images/")}
    staged = bring(folder, zip_bytes(images | {"labels.zip": zip_bytes(labels), "code.zip": zip_bytes({"a.py": ""})}))
    assert {name.removeprefix("labels/labels/").removeprefix("labels/") for name in stored(folder)} == {
        name.removeprefix("labels/") for name in files
    }
    assert [note["code"] for note in staged.notes] == ["zips_opened"]


def test_a_zip_of_images_beside_images_stays_shut(folder: Path) -> None:
    staged = bring(folder, zip_bytes({"cats/a.jpg": image_bytes(), "backup.zip": yolo_zip(2, 1), "bad.zip": b"x"}))
    assert stored(folder) == ["cats/a.jpg"]
    assert staged.skipped["kinds"] == {"archive": 2}


def test_labels_in_a_zip_that_is_in_the_way_of_the_images_stay_shut(folder: Path) -> None:
    labels = zip_bytes({"A.txt": "0 0.5 0.5 0.5 0.5"})
    staged = bring(folder, zip_bytes({"labels/a.txt.jpg": image_bytes(), "LABELS.zip": labels, "labels/a": ""}))
    assert "labels/a.txt.jpg" in stored(folder)
    images = {f"{n}.jpg": image_bytes() for n in range(3)}
    texts = zip_bytes({f"{n}.txt": "0 0.5 0.5 0.5 0.5" for n in range(3)})
    staged = bring(folder / "many", zip_bytes(images | {"labels.zip": texts}), ArchiveLimits(min_free=0, max_entries=5))
    assert stored(folder / "many") == sorted(images)
    assert staged.notes == []


INSIDE = {
    "deeper": (lambda: zip_bytes({"a.zip": zip_bytes({"b.zip": yolo_zip(2, 1)})}), Unprocessable, "b.zip"),
    "RAR": (lambda: zip_bytes({"images.rar": b"Rar!"}), Unprocessable, "images.rar"),
    "no ZIP": (lambda: zip_bytes({"images.zip": b"Rar!\x1a\x07" + bytes(50)}), Unprocessable, "RAR"),
    "bomb": (lambda: zip_bytes({"a.zip": zip_bytes({"images/z.jpg": bytes(20_000_000)})}), Unprocessable, "expands"),
    "way out": (lambda: zip_bytes({"a.zip": zip_bytes({"../../evil.jpg": b"x"})}), Unprocessable, "unsafe path"),
    "disk": (lambda: zip_bytes({"a.zip": yolo_zip(2, 1)}), NoSpace, "MIN_FREE_DISK"),
}


@pytest.mark.parametrize("case", INSIDE)
def test_what_is_inside_has_the_same_limits(folder: Path, case: str) -> None:
    create, error, words = INSIDE[case]
    with pytest.raises(error) as caught:
        bring(folder, create(), ArchiveLimits(min_free=10**18) if case == "disk" else ROOMY)
    assert words in str(caught.value.detail)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_methods(folder: Path, method: int) -> None:
    buffer = io.BytesIO()
    files = yolo_files(2, 1) | {"labels/train/long.txt": "0 0.5 0.5 0.5 0.5\n" * 30_000, "labels/train/none.txt": ""}
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    bring(folder, buffer.getvalue())
    source = folder / "source"
    for name, content in files.items():
        assert (source / name).read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_a_greedy_dictionary_is_refused(folder: Path) -> None:
    """LZMA may request 4 GB of memory in its header."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images/a.jpg", image_bytes())
    data = bytearray(buffer.getvalue())
    at = data.index(b"images/a.jpg") + len("images/a.jpg") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(Unprocessable, match="damaged"):
        bring(folder, bytes(data))


def test_methods_are_called_by_name(folder: Path) -> None:
    data = bytearray(yolo_zip(2, 1))
    central = data.rindex(b"images/train/000.jpg") - 46
    data[central + 10 : central + 12] = struct.pack("<H", 9)
    with pytest.raises(Unprocessable, match=r"method 9 \(Deflate64\)"):
        bring(folder, bytes(data))


def test_long_names_are_written_down(folder: Path) -> None:
    """Their source is known by the file's original name."""
    long = f"{'street' * 40}_jpg.rf.0123456789abcdef0123456789abcdef"
    files = yolo_files(2, 1) | {f"images/train/{long}.jpg": image_bytes()}
    bring(folder, zip_bytes(files))
    originals = json.loads((folder / "names.json").read_text())
    assert list(originals.values()) == [f"images/train/{long}.jpg"]
    assert (folder / "source" / next(iter(originals))).exists()


def test_images_of_formats_that_are_not_read_are_named(folder: Path) -> None:
    """They are left out, and reported."""
    more = {f"images/train/more.{kind}": b"1" for kind in ("jp2", "jxl", "svg", "psd", "dng", "md")} | {
        "images/val/other.JP2": b"1"
    }
    staged = bring(folder, zip_bytes(yolo_files(2, 1) | more))
    assert staged.notes == [{"code": "images_unread", "data": {"count": 6, "kinds": ".dng, .jp2, .jxl, .psd, .svg"}}]
    assert staged.skipped["count"] == 7
