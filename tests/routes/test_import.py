"""Importing a folder of the server: only below IMPORT_ROOT, without changing it."""

import os
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.services.datasets import server_folders
from app.services.datasets.server_folders import ServerFolders
from app.worker.failures import InvalidInput
from app.worker.importing.confined_folder import ConfinedFolder
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import yolo_files
from tests.routes.test_datasets import ENGLISH, wait_for_dataset
from tests.worker.importing.test_archive import snapshot


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two datasets below the root, and a file beside it that must not be reachable."""
    for directory in ("root/cars/v1", "root/Boats", "outside"):
        for name, content in yolo_files(4, 2).items():
            path = tmp_path / directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "root/.hidden").mkdir()
    (tmp_path / "root/away").symlink_to(tmp_path / "outside")
    return tmp_path / "root"


@pytest.fixture
def importer(tmp_path: Path, root: Path) -> Any:
    app = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading", IMPORT_ROOT=str(root)))
    yield app.test_client()
    close_app(app)


def bring(client: FlaskClient, path: str, **values: Any) -> Any:
    return client.post("/api/datasets/import", json={"path": path, "name": "Cars"} | values, headers=ENGLISH)


def test_folders_are_listed(importer: FlaskClient) -> None:
    top = importer.get("/api/datasets/import").json
    assert (top["path"], top["parent"], [item["path"] for item in top["folders"]]) == ("", None, ["Boats", "cars"])
    inner = importer.get("/api/datasets/import?path=cars/v1/images").json
    assert (inner["parent"], inner["images"]) == ("cars/v1", 0)
    assert {item["name"]: item["images"] for item in inner["folders"]} == {"train": 4, "val": 2}


def test_an_imported_folder_is_unchanged(importer: FlaskClient, root: Path, tmp_path: Path) -> None:
    before, times = snapshot(root), {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    (root / "cars/v1/train.cache").write_bytes(b"\x80pickle")
    answer = bring(importer, "cars/v1", rename={"thing": "car"})
    assert answer.status_code == 201, answer.text
    body = wait_for_dataset(importer, 1)
    assert (body["status"], body["classes"], body["total_images"], body["original"]) == ("valid", ["car"], 6, None)
    assert body["report"]["skipped"]["kinds"] == {".cache": 1}
    (root / "cars/v1/train.cache").unlink()
    assert snapshot(root) == before
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if not path.is_dir()} == {
        path: when for path, when in times.items() if not path.is_dir()
    }
    mine = {path.stat().st_ino for path in (tmp_path / "data/datasets").rglob("*.jpg")}
    assert not mine & {path.stat().st_ino for path in root.rglob("*.jpg")}, "what is edited there must not change here"
    assert importer.get("/api/datasets/1/original").status_code == 404
    importer.delete("/api/datasets/1")
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../outside", 422),
        ("cars/../../outside", 422),
        ("away", 422),
        ("cars/v9", 404),
        ("cars/v1/data.yaml", 404),
        ("x" * 300, 404),
        ("\0", 422),
        ("", 422),
        ("/etc", 404),
    ],
)
def test_only_below_the_root(importer: FlaskClient, path: str, status: int, tmp_path: Path) -> None:
    answer = bring(importer, path)
    assert answer.status_code == status, answer.text
    assert not list((tmp_path / "data/tmp").iterdir())
    if path:
        assert importer.get("/api/datasets/import", query_string={"path": path}).status_code == status


@pytest.mark.parametrize(
    "target", ["../../../outside/images/train/000.jpg", "/etc/hostname", "nowhere.jpg", "train", "link.jpg"]
)
def test_links_out_of_the_folder_are_refused(importer: FlaskClient, root: Path, tmp_path: Path, target: str) -> None:
    os.symlink(target, root / "cars/v1/images/link.jpg")
    answer = bring(importer, "cars/v1")
    assert (answer.status_code, "images/link.jpg" in answer.json["detail"]) == (422, True)
    assert not list((tmp_path / "data/tmp").iterdir())
    assert not list((tmp_path / "data/datasets").iterdir())


def test_a_link_within_the_folder_is_a_file(importer: FlaskClient, root: Path) -> None:
    os.symlink("000.jpg", root / "cars/v1/images/train/again.jpg")
    assert bring(importer, "cars/v1").status_code == 201
    assert wait_for_dataset(importer, 1)["total_images"] == 7


def test_a_link_swapped_in_is_not_followed(root: Path, tmp_path: Path) -> None:
    """Between the check and the copy a file, or a folder above it, is replaced by a link."""
    secret = tmp_path / "secret.txt"
    secret.write_text("0 0.5 0.5 0.1 0.1\n")
    with ConfinedFolder(root, ["cars", "v1"]) as folder:
        names = [real for _name, real, _size in folder.walk() if real.endswith(".txt")]
        (folder.path / names[0]).unlink()
        os.symlink(secret, folder.path / names[0])
        with pytest.raises(InvalidInput, match="link"):
            folder.file(names[0])
        labels = folder.path / "labels"
        labels.rename(tmp_path / "moved")
        os.symlink(tmp_path / "moved", labels)
        with pytest.raises(InvalidInput, match="link"):
            folder.file(names[1])
    (root / "cars").rename(tmp_path / "cars")
    os.symlink(tmp_path / "cars", root / "cars")
    with pytest.raises(InvalidInput):
        ConfinedFolder(root, ["cars", "v1"])


def test_a_link_above_the_root_is_not_followed(root: Path, tmp_path: Path) -> None:
    with ConfinedFolder(root, ["Boats"]) as folder:
        root.rename(tmp_path / "moved")
        root.symlink_to(tmp_path / "moved")
        assert len(list(folder.walk())) > 6, "what is open stays what it is"
    for base in (root, root / "cars"):
        with pytest.raises(InvalidInput, match="link"):
            ConfinedFolder(base)


@pytest.mark.parametrize("moment", ["folder", "listed"])
def test_a_folder_that_becomes_a_link_is_not_listed(
    importer: FlaskClient, root: Path, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the check of its path, or after its subfolders were read."""

    def swap(result: Any) -> Any:
        (root / "cars").rename(tmp_path / "moved")
        (root / "cars").symlink_to(tmp_path / "outside")
        return result

    if moment == "folder":
        inner = ServerFolders.folder
        monkeypatch.setattr(ServerFolders, "folder", lambda self, path: swap(inner(self, path)))
        assert importer.get("/api/datasets/import?path=cars").status_code == 404
        return
    (root / "cars/images").mkdir()  # of the same name as the other's
    (tmp_path / "outside/images/secret.jpg").touch()
    key = server_folders.natural_key
    names: list[str] = []
    monkeypatch.setattr(
        server_folders, "natural_key", lambda name: key(name if names else swap(names.append(name)) or name)
    )
    listed = importer.get("/api/datasets/import?path=cars").json["folders"]
    assert [(item["name"], item["images"]) for item in listed] == [("images", 0), ("v1", 0)]


def test_not_set_up(client: FlaskClient, app: APIFlask) -> None:
    assert client.get("/api/datasets/import").status_code == 404
    answer = bring(client, "cars")
    assert (answer.status_code, "IMPORT_ROOT" in answer.json["detail"]) == (404, True)
