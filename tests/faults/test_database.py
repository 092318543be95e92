"""The database: killed during writes, locked by another process, restarted under load."""

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from scripts.local_server import Server
from tests.cluster.pair import running_pair
from tests.cluster.redis_server import RedisServer
from tests.data import yolo_zip
from tests.faults.conftest import Record
from tests.faults.tools import (
    add_dataset,
    begin,
    check_database,
    check_run,
    epochs,
    kill_server,
    locked_database,
    occupied,
    state,
    trainers,
    wait_for,
    wait_for_epoch,
    wait_until,
)
from tests.live import Listener
from tests.test_models import postgres as postgres_server


class Writer(threading.Thread):
    """Creates trainings one after the other; `acknowledged` holds the ids of the successful responses.

    Like any client that must not repeat an action, it sends an Idempotency-Key, and retries an unacknowledged request
    with the same key: a stopped database may have committed without a response.
    """

    def __init__(self, server: Server, dataset_id: int, name: str) -> None:
        super().__init__(daemon=True)
        self.server, self.name = server, name
        self.body = {"name": name, "dataset_id": dataset_id, "epochs": 1}
        self.acknowledged: list[int] = []
        self.answers: list[tuple[float, int]] = []  # (time.monotonic(), status)
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        key = uuid.uuid4().hex
        while not self.over.wait(0.01) or (self.answers and self.answers[-1][1] == 503):
            headers = {"Idempotency-Key": key}
            try:
                answer = requests.post(self.server.url + "/api/trainings", json=self.body, headers=headers, timeout=60)
            except requests.RequestException:
                self.answers.append((time.monotonic(), 0))
                continue
            self.answers.append((time.monotonic(), answer.status_code))
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["training_id"])
                key = uuid.uuid4().hex

    def end(self) -> None:
        self.over.set()
        self.join(60)


@pytest.mark.faults("kill -9 web in a loop of database writes", 40)
def test_kill_web_in_writes(record: Record, tmp_path: Path) -> None:
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        with occupied(server, dataset_id) as holder:
            writers = [Writer(server, dataset_id, f"writer {number}") for number in range(4)]
            undisturbed = server.first_answer_s
            wait_until(lambda: sum(len(writer.acknowledged) for writer in writers) > 10, 60, "rows are written")
            time.sleep(record.number % 10 / 20)
            kill_server(server)
            for writer in writers:
                writer.end()
            check_database(server)
            began = time.monotonic()
            server.start()
            assert record.recovered(began) < max(10, 3 * undisturbed), "a busy machine starts slowly in any case"
            acknowledged = [training_id for writer in writers for training_id in writer.acknowledged]
            record.note = f"{len(acknowledged)} rows were acknowledged"
            assert len(acknowledged) > 10
            for training_id in acknowledged:
                body = server.get(f"/api/trainings/{training_id}").json()
                assert (body["status"], body["name"][:6]) == ("pending", "writer"), body
            assert len(trainers(server, f"{holder}/")) == 1
        check_database(server)


def timed(call: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def writes(server: Server, dataset_id: int, waiting: int) -> list[Callable[[], requests.Response]]:
    """Requests of every kind that write."""
    body = {"name": "Run", "dataset_id": dataset_id, "epochs": 1}
    return [
        *[lambda: server.post("/api/trainings", json=body)] * 6,
        lambda: server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", yolo_zip())}),
        lambda: server.post(f"/api/trainings/{waiting}/stop"),
    ]


@pytest.mark.faults("BEGIN EXCLUSIVE held 3 s by another process", 5)
def test_database_locked_shortly(record: Record, tmp_path: Path) -> None:
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        with occupied(server, dataset_id):
            waiting = begin(server, dataset_id)
            calls = writes(server, dataset_id, waiting)
            with locked_database(server, 3) as began, ThreadPoolExecutor(len(calls)) as pool:
                writing = [pool.submit(call) for call in calls]
                reading = [timed(lambda: server.get("/api/trainings")) for _ in range(5)]
            record.recovered(began)
            answers = [item.result() for item in writing]
            assert {answer.status_code for answer in answers} <= {201, 202}, [answer.text for answer in answers]
            assert {answer.status_code for answer, _ in reading} == {200}
            longest = max(seconds for _, seconds in reading)
            record.note = f"reads meanwhile at most {longest:.2f} s"
            assert longest < 2
        check_database(server)


@pytest.mark.faults("BEGIN EXCLUSIVE held 30 s by another process", 5)
def test_database_locked_long(record: Record, tmp_path: Path) -> None:
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        training_id = begin(server, dataset_id, epochs=12)
        wait_for_epoch(server, training_id, 1)
        waiting = begin(server, dataset_id)
        calls = writes(server, dataset_id, waiting)
        with locked_database(server, 30) as began, ThreadPoolExecutor(len(calls)) as pool:
            writing = [pool.submit(timed, call) for call in calls]
            time.sleep(1)
            reading = [timed(lambda: server.get("/api/trainings")) for _ in range(10)]
            assert {answer.status_code for answer, _ in reading} == {200}
            assert max(seconds for _, seconds in reading) < 2
            answer, seconds = timed(lambda: server.get("/ready"))
            assert (answer.status_code, seconds < 5) == (503, True)
            assert [reason["part"] for reason in answer.json()["reasons"]] == ["database"]
            answers = [item.result() for item in writing]
            assert {answer.status_code for answer, _ in answers} == {503}, [answer.text for answer, _ in answers]
            assert all(answer.headers["Retry-After"] for answer, _ in answers)
            assert time.monotonic() - began < 30
        freed = time.monotonic()
        count = len(epochs(server, training_id))
        wait_until(lambda: len(epochs(server, training_id)) > count or count == 12, 10, "progress arrives")
        record.recovered(freed)
        again = [call() for call in calls]
        assert {answer.status_code for answer in again} <= {201, 202}, [answer.text for answer in again]
        record.note = f"503 after {max(seconds for _, seconds in answers):.1f} s; epochs that were late all arrived"
        wait_for(server, training_id, "completed")
        check_run(server, training_id, 12)


@pytest.mark.faults("BEGIN EXCLUSIVE held 30 s while a training starts", 5)
def test_database_locked_at_the_start(record: Record, tmp_path: Path) -> None:
    """The process exists although its row cannot be read yet: it is followed nevertheless."""
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        spec = tmp_path / "data/models/1/attempts/1/spec.json"
        with locked_database(server, 30, once=spec):
            training_id = begin(server, dataset_id, epochs=3)
        freed = time.monotonic()
        wait_for(server, training_id, "completed")
        record.recovered(freed)
        check_run(server, training_id, 3)


def control_postgres(url: str, *arguments: str) -> None:
    """pg_ctl for the server at this address; its folder is the fixture's."""
    port = url.rpartition(":")[2].partition("/")[0]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"/postgres") and b"-D" in command and port.encode() in command:
            folder = command[command.index(b"-D") + 1].decode()
            break
    else:
        raise RuntimeError("PostgreSQL does not run")
    program = Path(command[0].decode()).with_name("pg_ctl")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, str(program), "-D", folder, *arguments], check=True, capture_output=True, cwd="/")


postgres = postgres_server


@pytest.mark.faults("PostgreSQL restarted under load", 5)
@pytest.mark.timeout(600)
def test_postgres_restart(record: Record, tmp_path: Path, postgres: str) -> None:
    """Threading: the recommended mode with PostgreSQL."""
    record.mode = "threading"
    with Server(tmp_path, record.mode, DATABASE_URL=postgres) as server:
        dataset_id = add_dataset(server)
        training_id = begin(server, dataset_id, epochs=12)
        wait_for_epoch(server, training_id, 1)
        writers = [Writer(server, dataset_id, f"writer {number}") for number in range(3)]
        time.sleep(1)
        control_postgres(postgres, "-m", "fast", "-l", "/dev/null", "-o", options(postgres), "-w", "restart")
        time.sleep(5)
        for writer in writers:
            writer.end()
        answers = sorted(answer for writer in writers for answer in writer.answers)
        bad = [moment for moment, status in answers if status != 201]
        assert {status for _, status in answers} <= {201, 503}, {status for _, status in answers}
        record.seconds = bad[-1] - bad[0] if bad else 0.0
        assert record.seconds <= 5
        assert server.get("/ready").status_code == 200
        acknowledged = {item for writer in writers for item in writer.acknowledged}
        record.note = f"{len(bad)} of {len(answers)} requests answered 503"
        total = server.get("/api/trainings").json()["total"]
        assert total == 1 + len(acknowledged), "none lost, none doubled"
        # beside the others' trainings, which are queued behind it
        wait_for(server, training_id, "completed", seconds=400)
        check_run(server, training_id, 12)


def options(url: str) -> str:
    port = url.rpartition(":")[2].partition("/")[0]
    return f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"


@pytest.mark.faults("Redis stopped 60 s", 5)
@pytest.mark.timeout(600)
def test_redis_stopped(record: Record, tmp_path: Path) -> None:
    """Two web processes: nothing waits for Redis, and the clients of the other one receive messages again once it is
    back.
    """
    redis = RedisServer(tmp_path)
    try:
        redis.start()
        with running_pair(tmp_path, redis.port, mode=record.mode) as pair, Listener(pair.second.url) as viewer:
            training_id = begin(pair.second, pair.dataset_id, epochs=12)
            assert viewer.ask("join_training", {"training_id": training_id})["ok"]
            viewer.wait("training_update")
            redis.stop()
            stopped, slowest = time.monotonic(), 0.0
            while time.monotonic() - stopped < 60:
                for server in (pair.first, pair.second):
                    began = time.monotonic()
                    assert server.get(f"/api/trainings/{training_id}").status_code == 200
                    slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.5)
            redis.start()
            back, count = time.monotonic(), len(viewer.received)
            later = begin(pair.second, pair.dataset_id, epochs=1)
            wait_until(
                lambda: len(viewer.received) > count or state(pair.second, training_id)["status"] == "completed",
                60,
                "news",
            )
            record.recovered(back)
            record.note = f"slowest answer meanwhile {slowest:.2f} s"
            wait_for(pair.second, training_id, "completed", seconds=400)
            wait_for(pair.first, later, "completed", seconds=400)
            check_run(pair.first, training_id, 12)
    finally:
        redis.stop()
