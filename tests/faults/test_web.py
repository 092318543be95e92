"""The web process: killed and stopped, idle and during a training, and with many clients."""

import math
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.local_server import MODES, Server
from tests.cluster.pair import running_pair
from tests.cluster.redis_server import running_redis
from tests.data import image_bytes
from tests.faults.conftest import Record
from tests.faults.crowd import Crowd
from tests.faults.tools import (
    TINY,
    act,
    add_dataset,
    begin,
    check_loads,
    check_run,
    epochs,
    kill_server,
    occupied,
    state,
    trainer,
    trainers,
    wait_for,
    wait_for_epoch,
    wait_for_no_trainer,
    wait_until,
    weights,
)
from tests.live import Listener
from tests.postgres import new_database, running_postgres

Curve = list[dict[str, Any]] | None


def check_events(server: Server, training_id: int, repeated: int = 0) -> None:
    """Each stored message has a number of its own, and each epoch was reported once.

    Args:
        repeated: epochs that may be reported again, since the process was killed before their checkpoint was written.
    """
    body = server.get(f"/api/trainings/{training_id}/events?limit=1000").json()
    numbers = [item["seq"] for item in body["events"]]
    assert len(set(numbers)) == len(numbers)
    recorded = [item["payload"]["epoch"] for item in body["events"] if item["event"] == "training_update"]
    assert all(0 <= before + 1 - epoch <= repeated for before, epoch in pairwise(recorded)), recorded
    assert recorded[0] == 1
    assert len(recorded) - len(set(recorded)) <= repeated, recorded


def kill_while_training(record: Record, folder: Path, down: float, reference: Curve) -> None:
    """Kill at some moment of the run, wait, restart: the run continues to its end."""
    with Server(folder, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        wait_for_epoch(server, training_id, 1 + record.number % 3)
        time.sleep(record.number % 10 / 10)
        kill_server(server)
        assert len(trainers(server)) <= 1
        time.sleep(down)
        began = time.monotonic()
        server.start()
        wait_for(server, training_id, "running", "completed", seconds=10)
        record.recovered(began)
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        check_events(server, training_id)
        record.note = f"restarts {state(server, training_id)['restarts']}"
        wait_for_no_trainer(server)


@pytest.mark.faults("kill -9 web while training, down {down} s", 10)
@pytest.mark.parametrize("down", [20, 60])
def test_kill_web_while_training_long(record: Record, tmp_path: Path, down: int, reference: Curve) -> None:
    kill_while_training(record, tmp_path, down, reference)


@pytest.mark.faults("kill -9 web while training, down 0 s", 10)
def test_kill_web_while_training(record: Record, tmp_path: Path, reference: Curve) -> None:
    kill_while_training(record, tmp_path, 0, reference)


@pytest.mark.faults("kill -9 web and trainer at once (the machine went down)", 10)
def test_kill_everything(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        wait_for_epoch(server, training_id, 2)
        pid = trainer(server, training_id)
        kill_server(server)
        os.killpg(pid, signal.SIGKILL)
        began = time.monotonic()
        server.start()
        wait_until(lambda: trainers(server, f"{training_id}/"), 20, "another process goes on")
        record.recovered(began)
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        check_events(server, training_id, repeated=1)


def children(server: Server) -> list[int]:
    """All processes that work below this server's folder, except trainings."""
    pids = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(server.folder) in command and f"{server.folder}/data/models/" not in command:
            pids.append(process.info["pid"])
    return pids


@pytest.mark.faults("SIGTERM to web, idle", 10)
def test_terminate_idle(record: Record, tmp_path: Path) -> None:
    with Server(tmp_path, record.mode) as server:
        add_dataset(server)
        with Crowd(server.port, 3, [("join_dashboard", {})]) as crowd:  # open pages must not delay it
            wait_until(crowd.joined, 10, "three pages are open")
            began = time.monotonic()
            assert server.stop() == 0
            assert record.recovered(began) < 25
        assert children(server) == []


@pytest.mark.faults("SIGTERM to web while training (ON_SHUTDOWN=continue)", 10)
def test_terminate_while_training(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        wait_for_epoch(server, training_id, 1)
        pid = trainer(server, training_id)
        began = time.monotonic()
        assert server.stop() == 0
        assert record.recovered(began) < 25
        assert trainers(server) in ([pid], []), "the training goes on, or has come to its end"
        server.start()
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)


@pytest.mark.faults("SIGTERM to web while training (ON_SHUTDOWN=stop)", 10)
def test_terminate_with_stop(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode, ON_SHUTDOWN="stop") as server:
        training_id = begin(server, add_dataset(server))
        wait_for_epoch(server, training_id, 2)
        began = time.monotonic()
        assert server.stop() == 0
        assert record.recovered(began) < 25
        assert trainers(server) == [], "no orphan"
        server.start()
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        assert state(server, training_id)["restarts"] == 0, "a stop that was asked for is no crash"


@pytest.mark.faults("pause and resume", 5)
def test_pause_and_resume(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        wait_for_epoch(server, training_id, 1 + record.number % 2)
        began = time.monotonic()
        act(server, training_id, "pause")
        paused = wait_for(server, training_id, "paused", seconds=30)
        record.recovered(began)
        wait_for_no_trainer(server)
        assert len(epochs(server, training_id)) == paused["current_epoch"]
        check_loads([path for path in weights(server, training_id) if path.name.startswith("epoch-")])
        act(server, training_id, "resume")
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        check_events(server, training_id)


@pytest.mark.faults("all in one training: web killed, trainer killed, paused, server stopped", 5, quick=True)
def test_one_training_through_it_all(record: Record, tmp_path: Path) -> None:
    with Server(tmp_path, record.mode, ON_SHUTDOWN="stop") as server:
        training_id = begin(server, add_dataset(server), epochs=5)
        wait_for_epoch(server, training_id, 1)
        kill_server(server)
        server.start()
        wait_for_epoch(server, training_id, 2)
        pid = trainer(server, training_id)
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: trainers(server) not in ([], [pid]), 30, "another process goes on")
        wait_for_epoch(server, training_id, 3)
        act(server, training_id, "pause")
        wait_for(server, training_id, "paused", seconds=30)
        act(server, training_id, "resume")
        wait_for_epoch(server, training_id, 4)
        assert server.stop() == 0
        assert trainers(server) == [], "no orphan"
        server.start()
        wait_for(server, training_id, "completed")
        check_run(server, training_id, 5)


CLIENTS, MESSAGES = 500, 20


@pytest.mark.faults("500 Socket.IO clients in rooms, {mode}", 3)
@pytest.mark.parametrize("mode", MODES)
def test_many_clients(record: Record, tmp_path: Path, mode: str) -> None:
    """All connect at the same moment; each message reaches each client once."""
    record.mode = mode
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        with occupied(server, dataset_id):
            # The last in the queue first: a changed position is sent for each training behind it.
            waiting = [begin(server, dataset_id) for _ in range(MESSAGES)][::-1]
            joins = [("join_dashboard", {}), ("join_training", {"training_id": waiting[0]})]
            with Crowd(server.port, CLIENTS, joins) as crowd:
                wait_until(crowd.joined, 120, f"{CLIENTS} clients have joined")
                began = []
                for training_id in waiting:
                    began.append(time.monotonic())
                    act(server, training_id, "stop")
                    time.sleep(0.5)
                time.sleep(3)
                delays = arrivals(crowd, waiting, began)
        p99 = delays[math.ceil(len(delays) * 0.99) - 1]
        record.seconds = p99
        record.note = (
            f"{len(delays)} messages, from the request to the client: median {delays[len(delays) // 2] * 1000:.0f}, "
            f"p99 {p99 * 1000:.0f}, longest {delays[-1] * 1000:.0f} ms"
        )
        assert p99 < 0.5, record.note


def arrivals(crowd: Crowd, waiting: list[int], began: list[float]) -> list[float]:
    """Seconds from each request to the message at each client, in order."""
    delays = []
    for member in crowd.members:
        received = [
            (moment, payload["training_id"])
            for moment, event, payload in member.received
            if event == "training_cancelled"
        ]
        assert [training_id for _, training_id in received] == waiting, "every message once, in order"
        delays += [moment - began[number] for number, (moment, _) in enumerate(received)]
    return sorted(delays)


@pytest.mark.faults("web process that leads killed while training, another is there", 5)
@pytest.mark.timeout(900)
def test_leader_killed(record: Record, tmp_path: Path) -> None:
    """The other one becomes the leader, the training continues unchanged; a restarted one serves, and has models run by
    itself.
    """
    with running_redis(tmp_path) as redis, running_postgres() as postgres:
        database = new_database(postgres, "pair")
        with running_pair(tmp_path, redis, database, record.mode) as pair, Listener(pair.second.url) as viewer:
            training_id = begin(pair.second, pair.dataset_id, epochs=3)
            assert viewer.ask("join_training", {"training_id": training_id})["ok"]
            viewer.wait("training_log", 240)  # its process is running
            before = (tmp_path / "data" / "leader.json").read_text()
            pair.kill(pair.first)
            killed = time.monotonic()
            wait_until(lambda: (tmp_path / "data" / "leader.json").read_text() != before, 60, "another one leads", 0.01)
            record.recovered(killed)
            viewer.wait("training_completed", 240)
            assert [item["epoch"] for item in viewer.named("training_update")] == [1, 2, 3]
            check_run(pair.second, training_id, 3)
            attempts = tmp_path / "data" / "models" / str(training_id) / "attempts"
            assert [path.name for path in attempts.iterdir()] == ["1"]
            pair.first.start()
            files = {"file": ("a.jpg", image_bytes())}
            answer = pair.first.post("/api/tests", files=files, data={"training_id": training_id})
            assert answer.status_code == 201, answer.text
