"""Two real web processes over PostgreSQL and Redis: a request to one takes effect, and is visible, at the other."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scripts.local_server import Server
from tests.cluster.pair import Pair, running_pair, until
from tests.cluster.redis_server import running_redis
from tests.data import yolo_zip
from tests.live import Listener
from tests.postgres import new_database, running_postgres

TINY = {"name": "Run", "model_version": "n", "epochs": 2, "batch_size": 4, "img_size": 64}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with (
        running_redis(folder) as redis,
        running_postgres() as postgres,
        running_pair(folder, redis, new_database(postgres, "pair")) as running,
    ):
        yield running


def leader(pair: Pair) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((pair.folder / "data" / "leader.json").read_bytes())
    return content


def status_of(server: Server, dataset_id: int) -> str:
    return str(server.get(f"/api/datasets/{dataset_id}").json()["status"])


def test_an_upload_to_one_process_reaches_the_clients_of_the_second(pair: Pair) -> None:
    assert leader(pair)["pid"] in pair.first.worker_pids()
    received: list[dict[str, Any]] = []
    with Listener(pair.first.url) as viewer:
        viewer.client.on("dataset_update", received.append)
        assert viewer.ask("join_dashboard", {})["ok"]
        answer = pair.second.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": "A"})
        assert answer.status_code == 201, answer.text + pair.logs()
        dataset_id = answer.json()["dataset_id"]
        until(
            lambda: any(item["status"] == "valid" and item["dataset_id"] == dataset_id for item in received),
            60,
            pair.logs,
        )
    assert status_of(pair.second, dataset_id) == status_of(pair.first, dataset_id) == "valid"


def test_a_click_at_one_process_gets_the_sample_drawn_by_the_second(pair: Pair) -> None:
    with ThreadPoolExecutor(2) as clicks:
        answers = list(clicks.map(lambda server: server.post("/api/datasets/sample"), (pair.first, pair.second)))
    assert [answer.status_code for answer in answers] == [201, 201], pair.logs()
    first, second = (answer.json()["dataset_id"] for answer in answers)
    assert first == second
    until(lambda: status_of(pair.second, first) == "valid", 60, pair.logs)


def test_what_is_refused_is_refused_by_both(pair: Pair) -> None:
    answers = [
        server.post("/api/datasets", files={"file": ("a.zip", b"PK no ZIP at all")}, data={"name": "A"})
        for server in (pair.first, pair.second)
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_the_parts_of_an_upload_may_reach_different_processes(pair: Pair) -> None:
    data, tus = yolo_zip(), {"Tus-Resumable": "1.0.0"}
    names = ",".join(
        f"{name} {base64.b64encode(text).decode()}" for name, text in (("filename", b"b.zip"), ("name", b"B"))
    )
    begun = pair.first.post("/api/uploads", headers=tus | {"Upload-Length": str(len(data)), "Upload-Metadata": names})
    assert begun.status_code == 201, begun.text
    path, half = begun.headers["Location"].removeprefix(pair.first.url), len(data) // 2
    for server, start, end in ((pair.first, 0, half), (pair.second, half, len(data))):
        part = {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        sent = server.call("PATCH", path, headers=tus | part, data=data[start:end])
        assert sent.status_code == 204, sent.text
    upload = until(lambda: (body := pair.first.get(path).json())["state"] in {"done", "failed"} and body, 60, pair.logs)
    assert upload["state"] == "done", upload
    until(lambda: status_of(pair.first, upload["dataset_id"]) == "valid", 60, pair.logs)


def test_a_poll_at_one_process_ends_with_an_event_of_the_second(pair: Pair) -> None:
    later = TINY | {"dataset_id": pair.dataset_id, "start_not_before": "2100-01-01T00:00:00Z"}
    path = f"/api/trainings/{pair.first.post('/api/trainings', json=later).json()['training_id']}"
    seq = until(lambda: (page := pair.second.get(f"{path}/events").json())["events"] and page["events"][-1]["seq"])
    pages: list[dict[str, Any]] = []
    poll = threading.Thread(
        target=lambda: pages.append(pair.second.get(f"{path}/events", params={"after": seq, "wait": 25}).json())
    )
    poll.start()
    began = time.monotonic()
    while not pages and time.monotonic() - began < 25:  # the poll may not be waiting yet when the first one is told
        pair.first.call("PATCH", path, json={"priority": 1 + int(10 * (time.monotonic() - began)) % 50})
        poll.join(0.3)
    poll.join(60)
    assert pages[0]["events"], pair.logs()
    assert pair.second.post(f"{path}/stop").json()["status"] == "cancelled"
    assert pair.first.get(path).json()["status"] == "cancelled"


def add(server: Server, name: str) -> int:
    answer = server.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": name})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["dataset_id"]
    return number


def test_another_one_leads_when_the_one_that_led_is_killed(pair: Pair) -> None:
    """With a training: tests/faults/test_web.py."""
    before = leader(pair)
    pair.kill(pair.first)
    until(lambda: leader(pair)["id"] != before["id"], 30, pair.logs)
    dataset_id = add(pair.second, "C")
    until(lambda: status_of(pair.second, dataset_id) == "valid", 60, pair.logs)
    pair.first.start()
    dataset_id = add(pair.first, "D")
    until(lambda: status_of(pair.first, dataset_id) == "valid", 60, pair.logs)
    assert leader(pair)["pid"] in pair.second.worker_pids()
