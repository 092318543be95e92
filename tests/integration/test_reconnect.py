"""A browser that connects and disconnects during a run misses nothing and gets nothing twice, in both async modes."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.database import upgrade_if_old
from app.events import Completed, Event, Figures, Note, Progress, encode
from scripts.local_server import MODES, Server, settings_for
from tests.live import Listener
from tests.services.runs import STARTED, create_training, epoch

SECONDS = 6.0  # for all lines of the script
STEP = 60  # lines that may be written after each connection of the browser
PASSED = ("training_snapshot", "training_status")

CHILD = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[3])
lines = (folder / "script.jsonl").read_text().splitlines(keepends=True)
with open(folder / "events.jsonl", "a") as events, open(folder / "worker.log", "a") as log:
    for number, line in enumerate(lines):
        while number >= int((folder / "allowed").read_text() or 0):
            (folder / "heartbeat").touch()
            time.sleep(0.02)
        events.write(line); events.flush()
        log.write(f"line {number}\\n"); log.flush()
        (folder / "heartbeat").touch()
        time.sleep(float(sys.argv[1]) / len(lines))
"""


def script() -> list[Event]:
    """300 batches, 30 epochs, figures and notes."""
    events: list[Event] = [STARTED]
    for number in range(1, 31):
        events += [Progress(number, batch, 10, 1 / (10 * number + batch)) for batch in range(1, 11)]
        events += [Figures(1.0, number, 2, 3, 4.0, 5.0, 6.0, 7.0), epoch(number)]
        events += [Note("nan_recovered", {"epoch": number})] if number % 10 == 0 else []
    return [*events, Completed("run/weights/best.pt", 30, 2, {"map50": 0.7}, 3.0)]


@pytest.mark.parametrize("mode", MODES)
def test_reconnecting(tmp_path: Path, mode: str) -> None:
    app = create_app("cli", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    training_id = create_training(app, epochs=30, total_epochs=30)
    directory = app.extensions["services"].trainer.store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    (directory / "script.jsonl").write_text("".join(encode(event, seq) for seq, event in enumerate(script(), 1)))
    allowed = directory / "allowed"
    allowed.write_text("30")
    command = [sys.executable, "-c", CHILD, str(SECONDS), "app.worker.run", str(directory)]
    child = subprocess.Popen(command, start_new_session=True)
    with Server(tmp_path, mode) as server:  # follows the running training
        stays = watch(server, training_id, allowed)
        child.wait(60)
        history = all_events(server, training_id)
    check(history, stays)


def watch(
    server: Server, training_id: int, allowed: Path
) -> list[tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]]:
    """Join, listen for a random time, disconnect, stay away, reconnect, until the end: (snapshot, received).

    The run writes a part of its lines each time, some of them while nobody listens; so each connection receives
    something, however slow the machine is.
    """
    dice, stays, over = random.Random(7), [], False
    until = time.monotonic() + 240
    while not over:
        assert time.monotonic() < until
        with Listener(server.url) as viewer:
            snapshot = viewer.ask("join_training", {"training_id": training_id})
            assert snapshot["ok"]
            over = snapshot["training"]["status"] in {"completed", "failed"}
            allowed.write_text(str(30 + STEP * (len(stays) + 1)))
            while not over and len(viewer.received) < 2:  # the snapshot, and the new messages
                assert time.monotonic() < until
                time.sleep(0.02)
            time.sleep(dice.uniform(0, 0.8))
            received = list(viewer.received)
        stays.append((snapshot, [item for item in received if item[0] != "training_snapshot"]))
        time.sleep(dice.uniform(0, 0.5))
    return stays


def all_events(server: Server, training_id: int) -> list[dict[str, Any]]:
    body = server.get(f"/api/trainings/{training_id}/events?limit=1000").json()
    assert not body["more"]
    assert not body["thinned"]
    return body["events"]


def check(history: list[dict[str, Any]], stays: list[Any]) -> None:
    assert [item["seq"] for item in history] == list(range(1, len(history) + 1))
    by_seq = {item["seq"]: item for item in history}
    for snapshot, received in stays:
        # Sorted, since this client handles each message in a thread of its own, and these may overtake each other.
        numbers = sorted(payload["seq"] for _, payload in received if payload["seq"] > snapshot["seq"])
        assert numbers == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(numbers))), "each once, no gap"
        for event, payload in received:
            stored = by_seq[payload["seq"]]
            assert event == stored["event"]
            if event not in PASSED:
                assert payload == {key: stored["payload"][key] for key in payload}
        earlier = [item for item in history if item["seq"] <= snapshot["seq"]]
        epochs = [item["payload"]["epoch"] for item in earlier if item["event"] == "training_update"]
        assert [item["epoch"] for item in snapshot["metrics"]["epochs"]] == epochs
        batches = [item["seq"] for item in earlier if item["event"] == "training_progress"]
        assert [item["seq"] for item in snapshot["losses"]] == batches
        assert [item["seq"] for item in snapshot["figures"]] == [
            item["seq"] for item in earlier if item["event"] == "training_system"
        ]
        assert snapshot["log"]["text"] == "".join(
            item["payload"]["text"] for item in earlier if item["event"] == "training_log"
        )
    last = stays[-1][0]
    assert last["seq"] == len(history)
    assert [item["epoch"] for item in last["metrics"]["epochs"]] == list(range(1, 31))
    assert last["log"]["text"] == "".join(f"line {number}\n" for number in range(len(script())))
    assert len(stays) > 3, "it came again"
    assert all(received for _, received in stays[:-1]), "it was there for a part of it"
