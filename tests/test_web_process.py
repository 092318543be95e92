"""The web process: starts quickly, stays small, ends on a signal."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import socketio

from scripts.local_server import MODES, Server

# python-engineio imports aiohttp if it is installed: 10 MB that only tests have, since their tuspy needs it.
OF_TESTS = 10 * 1024 * 1024 if find_spec("aiohttp") else 0
MAX_RSS = 120 * 1024 * 1024 + OF_TESTS


def test_first_answer_and_size(server: Server) -> None:
    """On an existing database, as after `make setup`. In CPU seconds, since tests share the machine."""
    server.stop()
    server.start()
    times = [psutil.Process(pid).cpu_times() for pid in server.worker_pids()]
    assert sum(item.user + item.system for item in times) < 3
    for page in ("/", "/datasets", "/trainings", "/trainings/new", "/tests", "/api/docs", "/api/openapi.json"):
        assert server.get(page).status_code == 200, page
    assert server.get("/api/system").json()["process"]["rss"] < MAX_RSS
    assert max(psutil.Process(pid).memory_info().rss for pid in server.worker_pids()) < MAX_RSS


@pytest.mark.parametrize("mode", MODES)
def test_a_first_start_migrates_the_database(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's own does; other tests' servers begin with a copy of one that is migrated."""
    monkeypatch.setattr(Server, "empty_database", None)
    with Server(tmp_path, mode) as server:
        assert "migrating the database from None" in server.read_log()
        assert server.get("/ready").status_code == 200
        server.stop()
        server.start()
        assert server.read_log().count("migrating the database") == 1


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_ends_with_open_sockets(server: Server, transport: str) -> None:
    clients = [socketio.Client(reconnection=False) for _ in range(5)]
    for client in clients:
        client.connect(server.url, transports=[transport])
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 20  # END_S of app/guard.py is 24
    assert "Traceback" not in server.log()
    for client in clients:
        client.disconnect()


def test_ctrl_c_is_a_clean_end_too(server: Server) -> None:
    """A terminal sends it to the workers as well. The output lists what continues without the server."""
    folder = Path(server.settings["DATA_ROOT"], "models", "1")
    command = [sys.executable, "-c", "import time; time.sleep(300)", "app.worker.run", str(folder)]
    with subprocess.Popen(command, start_new_session=True) as job:
        for pid in server.worker_pids()[1:]:
            os.kill(pid, signal.SIGINT)
        status = server.stop(signal.SIGINT)
        assert (status, job.poll()) == (0, None)
        job.kill()
    assert "Traceback" not in server.log()
    assert "continue without the server: 1." in server.log()
