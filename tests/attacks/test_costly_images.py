"""Images that take minutes to decode: each becomes a finding, and no other request waits."""

import time
from pathlib import Path
from typing import Any

from scripts.local_server import Server
from tests.data import yolo_files, zip_bytes
from tests.worker.quality.helpers import costly_image


def upload(server: Server, content: bytes) -> str:
    answer = server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", content)})
    assert answer.status_code == 201, answer.text
    return f"/api/datasets/{answer.json()['dataset_id']}"


def wait_until_ended(server: Server, *paths: str) -> list[tuple[str, dict[str, Any]]]:
    """The datasets in the order in which their validations end."""
    finished: dict[str, dict[str, Any]] = {}
    limit = time.monotonic() + 240
    while len(finished) < len(paths):
        assert time.monotonic() < limit, finished
        for path in paths:
            body = server.get(path).json()
            if path not in finished and body["status"] in {"valid", "invalid"}:
                finished[path] = body
        time.sleep(0.1)
    return list(finished.items())


def test_a_hostile_dataset_delays_nobody(tmp_path: Path) -> None:
    costly = {f"images/train/costly{number}.jpg": costly_image(2400) for number in range(7)}
    contents = [zip_bytes(yolo_files(8, 4) | costly), zip_bytes(yolo_files(8, 4))]
    with Server(tmp_path, "eventlet", IMAGE_DECODE_SECONDS="1") as server:
        hostile, honest = (upload(server, content) for content in contents)
        (first, first_body), (second, second_body) = wait_until_ended(server, hostile, honest)
        assert (first, second) == (honest, hostile)
        assert (first_body["status"], second_body["status"]) == ("valid", "valid")
        findings = server.get(f"{hostile}/findings?code=image_slow").json()
    assert findings["total"] == len(costly)
    assert {item["file"] for item in findings["findings"]} == set(costly)
