"""Database, data and logs are private to the server's user, including those of an earlier version."""

import os
import stat
import time
from pathlib import Path

from app.private_files import close_tree
from scripts.local_server import Server
from tests.data import yolo_files


def open_to_others(folder: Path) -> list[str]:
    paths = []
    for path in [folder, *folder.rglob("*")]:
        try:
            if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077:
                paths.append(str(path))
        except FileNotFoundError:  # a temporary file that was renamed meanwhile
            continue
    return paths


def test_nothing_is_readable_by_others(tmp_path: Path) -> None:
    old = tmp_path / "data" / "models" / "old"
    old.mkdir(parents=True)
    (tmp_path / "instance").mkdir()
    (tmp_path / "logs").mkdir()
    for path in (old / "best.pt", tmp_path / "logs" / "app.log", tmp_path / "instance" / "secret_key"):
        path.write_text("of an earlier version")
        path.chmod(0o644)
    for path in (old, old.parent, tmp_path / "data", tmp_path / "logs", tmp_path / "instance"):
        path.chmod(0o755)
    for name, content in yolo_files().items():  # of another user, with public read permission
        path = tmp_path / "imports" / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
    with Server(tmp_path, "threading", IMPORT_ROOT=str(tmp_path / "imports")) as server:
        assert server.post("/api/datasets/sample").status_code == 201
        imported = server.post("/api/datasets/import", json={"path": "theirs", "name": "x"})
        address = f"/api/datasets/{imported.json()['dataset_id']}"
        while (status := server.get(address).json()["status"]) not in {"valid", "invalid"}:
            time.sleep(0.1)
        assert status == "valid"
        while server.get(f"{address}/export?format=coco").status_code == 202:
            time.sleep(0.1)
        for name in ("instance", "logs"):
            assert open_to_others(tmp_path / name) == []
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        while open_to_others(old):  # concurrently with the first requests
            assert server.get("/health").status_code == 200
        assert open_to_others(tmp_path / "data") == []


def test_other_files_of_a_log_folder(tmp_path: Path) -> None:
    """It may be /var/log; and closed folders are not traversed again."""
    (tmp_path / "a").mkdir(mode=0o755)
    os.chmod(tmp_path / "a", 0o755)
    (tmp_path / "a" / "b").write_text("x")
    os.chmod(tmp_path / "a" / "b", 0o640)
    assert close_tree(tmp_path, lambda: None) >= 2
    assert close_tree(tmp_path, lambda: None) == 0
