"""The store of images: each once, everything else a link; copies if links are impossible."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from app.worker import objects
from app.worker.objects import Objects, link


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_equal_files_are_stored_once(store: Objects, tmp_path: Path) -> None:
    first, second = write(tmp_path, "a.jpg", b"same"), write(tmp_path, "b.jpg", b"same")
    stored = store.add_file(first, sha(b"same"))
    assert store.add_file(second, sha(b"same")) == stored
    assert store.add_file(second, sha(b"same")) == stored, "a second time changes nothing"
    assert first.stat().st_ino == second.stat().st_ino == stored.stat().st_ino
    assert stored.stat().st_nlink == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg", "objects"], "no draft is left"


def test_an_object_that_was_cut_short_is_replaced(store: Objects, tmp_path: Path) -> None:
    stored = store.add_file(write(tmp_path, "a.jpg", b"whole"), sha(b"whole"))
    (tmp_path / "a.jpg").unlink()
    stored.write_bytes(b"who")
    again = write(tmp_path, "b.jpg", b"whole")
    assert store.add_file(again, sha(b"whole")).read_bytes() == b"whole"


def test_a_mended_file_is_a_separate_object(store: Objects, tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg", b"body")
    mended = store.with_tail(path, b"\xff\xd9", sha(b"body\xff\xd9"))
    assert (mended.read_bytes(), path.read_bytes(), mended.stat().st_nlink) == (b"body\xff\xd9", b"body", 1)
    assert store.with_tail(path, b"\xff\xd9", sha(b"body\xff\xd9")) == mended
    created, digest = store.add(lambda draft: draft.write_bytes(b"new"))
    assert (created.name, digest, created.read_bytes()) == (sha(b"new"), sha(b"new"), b"new")


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_without_links_there_are_copies(
    store: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    path = write(tmp_path, "a.jpg", b"x")
    monkeypatch.setattr(objects.os, "link", refuse)
    assert store.add_file(path, sha(b"x")) == path, "it serves in its object's place"
    link(path, tmp_path / "b.jpg")
    assert (tmp_path / "b.jpg").read_bytes() == b"x"
    assert (tmp_path / "b.jpg").stat().st_ino != path.stat().st_ino
    with pytest.raises(FileExistsError):
        link(path, tmp_path / "b.jpg")


def test_a_file_with_as_many_links_as_there_can_be(
    store: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store.add_file(write(tmp_path, "a.jpg", b"x"), sha(b"x"))
    real = os.link

    def full(source: Path, target: Path) -> None:
        if os.stat(source).st_ino == stored.stat().st_ino:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        real(source, target)

    monkeypatch.setattr(objects.os, "link", full)
    second = write(tmp_path, "b.jpg", b"x")
    assert store.add_file(second, sha(b"x")) == second
    assert second.read_bytes() == b"x"
