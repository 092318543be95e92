"""Uploads that must be refused, and files left out of accepted ones: reliability.md's table, row by row."""

import hashlib
import io
import itertools
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.imports import ArchiveLimits
from app.core.names import MAX_NAME_BYTES
from app.errors import AppError, BadUpload, NoSpace, Unprocessable
from app.worker.failures import InvalidInput
from app.worker.importing.paths import safe_parts
from tests.data import image_bytes, yolo_files, yolo_zip, zip_bytes
from tests.worker.importing.archives import bring, stored


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "staging"


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def with_names(*names: str) -> bytes:
    return zip_bytes(yolo_files(2, 1) | dict.fromkeys(names, b"x"))


def with_info(name: str, change: Callable[[zipfile.ZipInfo], None], content: bytes = b"x") -> bytes:
    """A valid dataset and one member whose header was changed."""
    buffer = io.BytesIO(yolo_zip(2, 1))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        change(info)
        archive.writestr(info, content)
    return buffer.getvalue()


def symlink() -> bytes:
    def change(info: zipfile.ZipInfo) -> None:
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    return with_info("images/train/link.jpg", change, b"/etc/passwd")


def patched(data: bytes, name: str, at: int, value: bytes, local_at: int | None = None) -> bytes:
    """Overwrite bytes in a member's central header (and at `local_at` in its local one)."""
    body = bytearray(data)
    central = body.rindex(name.encode()) - 46
    body[central + at : central + at + len(value)] = value
    if local_at is not None:
        local = body.index(name.encode()) - 30
        body[local + local_at : local + local_at + len(value)] = value
    return bytes(body)


def encrypted() -> bytes:
    return patched(yolo_zip(2, 1), "images/train/000.jpg", 8, struct.pack("<H", 1), 6)


def unknown_method() -> bytes:
    return patched(yolo_zip(2, 1), "images/train/000.jpg", 10, struct.pack("<H", 99), 8)


def overlapping() -> bytes:
    """Two directory entries that point to the same data."""
    data = yolo_zip(2, 1)
    first = data.rindex(b"images/train/000.jpg") - 46
    return patched(data, "images/train/001.jpg", 42, data[first + 42 : first + 46])


def declared_smaller() -> bytes:
    files = yolo_files(2, 1) | {"labels/train/000.txt": "0 0.5 0.5 0.5 0.5\n" * 50_000}
    return patched(zip_bytes(files), "labels/train/000.txt", 24, struct.pack("<L", 20))


def wrong_checksum() -> bytes:
    return patched(yolo_zip(2, 1), "images/train/000.jpg", 16, b"\0\0\0\0")


def zeros() -> bytes:
    return zip_bytes(yolo_files(2, 1) | {"images/train/zeros.jpg": bytes(20_000_000)})


def zeros_skipped() -> bytes:
    return zip_bytes(yolo_files(2, 1) | {"zeros.bin": bytes(20_000_000)})


def yaml_with(text: str) -> bytes:
    return zip_bytes(yolo_files(2, 1) | {"data.yaml": text})


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in itertools.pairwise("abcdefgh")
)

ARCHIVE = {  # refused before anything is extracted, or during extraction
    "parent folder": (lambda: with_names("../evil.jpg"), Unprocessable, "unsafe path: ../evil.jpg"),
    "parent folder inside": (lambda: with_names("images/../../evil.jpg"), Unprocessable, "unsafe path"),
    "absolute": (lambda: with_names("/etc/evil.jpg"), Unprocessable, "unsafe path"),
    "backslashes": (lambda: with_names("a\\..\\..\\evil.jpg"), Unprocessable, "unsafe path"),
    "share": (lambda: with_names("\\\\host\\share\\evil.jpg"), Unprocessable, "unsafe path"),
    "drive": (lambda: with_names("C:\\evil.jpg"), Unprocessable, "unsafe path"),
    "NUL": (
        lambda: patched(with_names("images/train/nXl.jpg"), "images/train/nXl.jpg", 46, b"images/train/n\0l.jpg"),
        Unprocessable,
        "unsafe path",
    ),
    "symlink": (symlink, Unprocessable, "images/train/link.jpg is a link"),
    "encrypted": (encrypted, Unprocessable, "images/train/000.jpg is encrypted"),
    "unknown method": (unknown_method, Unprocessable, "method 99"),
    "overlapping": (overlapping, Unprocessable, "overlap"),
    "zeros": (zeros, Unprocessable, "images/train/zeros.jpg expands"),
    "zeros in a skipped file": (zeros_skipped, Unprocessable, "zeros.bin expands"),
    "declared size lies": (declared_smaller, Unprocessable, "labels/train/000.txt is damaged"),
    "checksum": (wrong_checksum, Unprocessable, "images/train/000.jpg is damaged"),
    "too deep": (lambda: with_names("/".join("abcdefghijk")[0:] + "/x.jpg"), Unprocessable, "nested"),
    "case collision": (lambda: with_names("images/train/000.JPG"), Unprocessable, "same path"),
    "a file for a folder": (lambda: with_names("images/train/000.jpg/x.jpg"), Unprocessable, "same path"),
    "huge label": (
        lambda: with_info("labels/train/x.txt", lambda info: None, b"0" * (16 * 1024**2 + 1)),
        Unprocessable,
        "labels/train/x.txt",
    ),
    "not a ZIP": (lambda: image_bytes(), BadUpload, "not a ZIP"),
    "empty file": (lambda: b"", BadUpload, "not a ZIP"),
    "ZIP without files": (lambda: zip_bytes({}), BadUpload, "empty"),
    "truncated": (lambda: yolo_zip()[:-30], BadUpload, "not a ZIP"),
    "cut at its start": (lambda: yolo_zip()[2000:], BadUpload, "not a ZIP"),
}
CONTENT = {  # refused by the child that reads the files
    "split collision": (lambda: with_names("train/images/000.jpg"), Unprocessable, "same path"),
    "no images": (lambda: zip_bytes({"data.yaml": "names: [a]\n"}), Unprocessable, "images/train"),
    "labels only": (lambda: zip_bytes({"labels/train/a.txt": "0 .5 .5 .1 .1"}), Unprocessable, "labels/train"),
    "no labels": (lambda: zip_bytes({"images/train/a.jpg": image_bytes()}), Unprocessable, "labels/train"),
    "only validation": (
        lambda: zip_bytes({"images/val/a.jpg": image_bytes(), "labels/val/a.txt": "0 .5 .5 .1 .1"}),
        Unprocessable,
        "training images",
    ),
    "one image": (
        lambda: zip_bytes({"images/a.jpg": image_bytes(), "labels/a.txt": "0 .5 .5 .1 .1"}),
        Unprocessable,
        "one image only",
    ),
    "YAML alias bomb": (lambda: yaml_with(BOMB + "names: [a]\n"), Unprocessable, "aliases"),
    "YAML depth": (lambda: yaml_with("names: " + "[" * 5000 + "]" * 5000), Unprocessable, "deep"),
    "YAML python tag": (lambda: yaml_with("names: !!python/object/apply:os.system [id]\n"), Unprocessable, "tag"),
    "YAML duplicate key": (lambda: yaml_with("names: [a]\nnames: [b]\n"), Unprocessable, "twice"),
    "YAML nc": (lambda: yaml_with("nc: 3\nnames: [a, b]\n"), Unprocessable, "nc: 3"),
    "YAML gap": (lambda: yaml_with("names: {0: a, 2: b}\n"), Unprocessable, "gap"),
    "YAML empty name": (lambda: yaml_with("names: [a, '']\n"), Unprocessable, "empty name"),
    "YAML null name": (
        lambda: yaml_with("names: [a, ]\nnc: 1\nx: [~]\n".replace("[a, ]", "[a, ~]")),
        Unprocessable,
        "nc: 1",
    ),
    "YAML no names": (lambda: yaml_with("names: []\n"), Unprocessable, "at least one"),
    "YAML path as name": (lambda: yaml_with("names: [../../pwn]\n"), Unprocessable, "../../pwn"),
    "YAML too large": (
        lambda: zip_bytes({**yolo_files(2, 1), "data.yaml": "#" + "ab" * 140_000}),
        Unprocessable,
        "data.yaml is larger",
    ),
    "YAML is a list": (lambda: yaml_with("[a, b]\n"), Unprocessable, "keys and values"),
    "YAML of bytes": (
        lambda: zip_bytes({**yolo_files(2, 1), "data.yaml": b"names: [\x00\x01\xff]"}),
        Unprocessable,
        "data.yaml",
    ),
    "too many classes": (lambda: yaml_with(f"names: {[f'c{i}' for i in range(1001)]}\n"), Unprocessable, "1000"),
}


REFUSED = ARCHIVE | CONTENT  # all of them against a real server: tests/test_uploads.py


@pytest.mark.parametrize("case", ARCHIVE)
def test_refused_without_leftovers(folder: Path, case: str) -> None:
    create, error, words = ARCHIVE[case]
    with pytest.raises(error) as caught:
        bring(folder, create())
    assert words in str(caught.value.detail)
    assert [path.name for path in folder.parent.iterdir()] == ["staging"], "nothing is written elsewhere"


def test_too_many_entries(folder: Path) -> None:
    data = zip_bytes(yolo_files(2, 1))
    with pytest.raises(Unprocessable, match="limit of 6"):
        bring(folder, data, ArchiveLimits(max_entries=6, min_free=0))
    bring(folder, data, ArchiveLimits(max_entries=7, min_free=0))


def test_the_real_limit_of_entries(folder: Path) -> None:
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 6, 0)
    central = struct.Struct("<4s4B4HL2L5H2L")
    names = [b"%06d" % number for number in range(200_001)]
    directory = b"".join(
        central.pack(b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, index * 36) + name
        for index, name in enumerate(names)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, len(directory), 36 * len(names), 0)
    data = b"".join(local + name for name in names) + directory + end
    with pytest.raises(Unprocessable, match="200000"):
        bring(folder, data)


def test_expanded_size_and_free_disk(folder: Path) -> None:
    data = yolo_zip(2, 1)
    with pytest.raises(Unprocessable, match="MAX_EXPANDED_SIZE"):
        bring(folder, data, ArchiveLimits(max_expanded=500, min_free=0))
    with pytest.raises(NoSpace, match="MIN_FREE_DISK"):
        bring(folder, data, ArchiveLimits(min_free=10**18))


def test_skipped_counted_and_named(folder: Path) -> None:
    extra = {
        "train.py": "import os",
        "labels/train.cache": b"\x80",
        "images/train/000.npy": b"\x93NUMPY",
        "w.pt": b"x",
        "readme.html": "<b>",
        "logo.svg": "<svg>",
        "__MACOSX/images/train/._000.jpg": b"x",
        "images/train/@eaDir/000.jpg/SYNOPHOTO_THUMB_XL.jpg": b"x",
        ".DS_Store": b"x",
        "more.zip": yolo_zip(1, 1),
        "sub/more.ZIP": b"x",
        "README.txt": "hello",
    }
    staged = bring(folder, zip_bytes(yolo_files(2, 1) | extra))
    kinds = {
        ".py": 1,
        ".cache": 1,
        ".npy": 1,
        ".pt": 1,
        ".html": 1,
        ".svg": 1,
        "__MACOSX": 1,
        "@eaDir": 1,
        "hidden": 1,
        "archive": 2,
    }
    assert staged.skipped["kinds"] == kinds
    assert staged.skipped["count"] == len(extra) - 1
    assert set(staged.skipped["names"]) == set(extra) - {"README.txt"}
    suffixes = {path.suffix for path in folder.joinpath("source").rglob("*") if path.is_file()}
    assert suffixes == {".jpg", ".txt", ".yaml"}


def test_renamed_and_reported(folder: Path) -> None:
    label = "0 0.5 0.5 0.5 0.5\n"
    long = "ä" * 120
    files = yolo_files(1, 1) | {
        "images/train/CON.jpg": image_bytes(),
        "labels/train/CON.txt": label,
        "images/train/dot.jpg.": image_bytes(),
        "labels/train/dot.txt": label,
        "images/train/space .jpg": image_bytes(),
        "labels/train/space.txt ": label,
        "images/train/new\nline.jpg": image_bytes(),
        "labels/train/new\nline.txt": label,
        f"images/train/{long}.jpeg": image_bytes(),
        f"labels/train/{long}.txt": label,
        "images\\train\\old.jpg": image_bytes(),
        "labels\\train\\old.txt": label,
    }
    staged = bring(folder, zip_bytes(files))
    folder = folder
    images = {path.stem for path in (folder / "source/images/train").iterdir()}
    labels = {path.stem for path in (folder / "source/labels/train").iterdir()}
    assert images == labels, "an image and its label are renamed alike"
    assert {"_CON", "dot", "space", "new_line", "old"} < images
    assert all(len(path.name.encode()) <= MAX_NAME_BYTES for path in folder.rglob("*"))
    assert staged.renamed["count"] == 11
    assert {"from": "images/train/new\\nline.jpg", "to": "images/train/new_line.jpg"} in staged.renamed["names"]


def test_a_zip_with_a_preamble_and_a_comment(folder: Path) -> None:
    buffer = io.BytesIO(yolo_zip(2, 1))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"PK\5\6 made by hand"
    staged = bring(folder, b"#!/bin/sh\nexit\n" + buffer.getvalue())
    assert stored(folder) == sorted(yolo_files(2, 1))
    assert staged.size_bytes == sum(len(content) for content in yolo_files(2, 1).values())


def test_zip64_and_unseekable_writers(folder: Path) -> None:
    class Pipe(io.RawIOBase):
        """zipfile cannot seek in it, so sizes follow the data."""

        def __init__(self) -> None:
            self.body = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.body += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, content in yolo_files(2, 1).items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content if isinstance(content, bytes) else content.encode())
    bring(folder, bytes(pipe.body))
    assert stored(folder) == sorted(yolo_files(2, 1))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_a_safe_path_stays_below_its_folder(name: str) -> None:
    try:
        parts = safe_parts(name)
    except InvalidInput:
        return
    for part in parts:
        assert part not in {"", ".", ".."}
        assert not set(part) & set('/\\\0\n\r:*?"<>|')
        assert len(part.encode()) <= MAX_NAME_BYTES
        assert part == part.rstrip(". ")
        assert safe_parts(part) == (part,), "a safe name is left alone"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 4000), value=st.binary(min_size=1, max_size=4))
def test_a_damaged_zip_is_read_or_refused(folder: Path, position: int, value: bytes) -> None:
    data = bytearray(yolo_zip(2, 1))
    at = position % len(data)
    data[at : at + len(value)] = value
    try:
        bring(folder, bytes(data))
    except AppError:
        pass
