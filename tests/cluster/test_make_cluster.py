"""`make cluster`: everything on this machine through nginx, until Ctrl-C; or the missing programs."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import socketio

from scripts.cluster import has_nginx, missing
from scripts.drawing import draw
from scripts.local_server import ROOT
from tests.cluster.pair import until

# A shell makes its background jobs ignore Ctrl-C, and so everything that they start.
WITH_CTRL_C = ("env", "--default-signal=INT")
COMMAND = [sys.executable, "-m", "scripts.cluster"]
SETTINGS = {"AUTH": "off", "WEIGHTS_URL": "", "MIN_FREE_DISK": "50MB", "DISK_RESERVE": "50MB", "AUTO_EXPORT": "False"}
TINY = {"name": "Run", "model_version": "n", "epochs": 50, "batch_size": 4, "img_size": 64}


class Running:
    """The command, its output so far, and the processes listed there."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [*WITH_CTRL_C, *COMMAND],
            cwd=ROOT,
            env=os.environ | SETTINGS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        try:
            until(lambda: "Ctrl-C" in self.output or self.process.poll() is not None, 180, lambda: self.output)
            self.url = re.findall(r"Open (\S+)", self.output)[0]
            self.folder = Path(re.findall(r"data, until it ends: (\S+)", self.output)[0])
        except BaseException:
            self.process.send_signal(signal.SIGINT)
            raise
        self.pids = {name: int(pid) for name, pid in re.findall(r"^  (\w+(?: \d)?) +(\d+)  ", self.output, re.M)}
        self.webs = re.findall(r"web \d +\d+  http://(\S+)", self.output)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def family(self) -> list[psutil.Process]:
        """The listed processes, their children, and those of jobs."""
        named = [psutil.Process(pid) for pid in self.pids.values() if psutil.pid_exists(pid)]
        below = [child for process in named for child in process.children(recursive=True)]
        jobs = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(self.folder) in part for part in process.info["cmdline"] or [])
        ]
        return [*named, *below, *jobs]

    def passed(self) -> list[tuple[str, str]]:
        """(path, address of the web process) of the requests that came through nginx."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [(line.split()[1], line.split()[-1]) for line in lines]

    def session_at(self, web: str) -> requests.Session:
        """A browser whose cookie nginx sends to this web process."""
        for number in range(64):
            session = requests.Session()
            session.cookies.set("web", f"c{number}")
            assert session.get(f"{self.url}/health?c{number}", timeout=60).status_code == 200
            if until(lambda path=f"/health?c{number}": dict(self.passed()).get(path)) == web:
                return session
        raise AssertionError(f"nothing reaches {web}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    if missing() or not has_nginx():
        pytest.skip("PostgreSQL, Redis or nginx is not installed")
    running = Running()
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            running.process.wait(120)
        running.reader.join(10)


def test_a_page_and_its_cookie(cluster: Running) -> None:
    session = requests.Session()
    assert session.get(cluster.url, timeout=60).status_code == 200
    assert re.fullmatch(r"[0-9a-f]{32}", session.cookies["web"])
    assert "Set-Cookie" not in session.get(cluster.url, timeout=60).headers
    workers = [f"worker {number}" for number in (1, 2, 3)]
    assert sorted(cluster.pids) == ["PostgreSQL", "Redis", "nginx", "web 1", "web 2", *workers]


def test_browsers_upgrade_from_polling_with_several_processes(cluster: Running) -> None:
    """Without a cookie, 4 of 10 fail, since another process does not know their session."""
    before = len(cluster.passed())
    for _ in range(10):
        client = socketio.Client(reconnection=False)
        client.connect(cluster.url, wait_timeout=30)
        assert client.transport() == "websocket"
        client.disconnect()
    assert {web for path, web in cluster.passed()[before:] if "/socket.io" in path} == set(cluster.webs)


def test_an_upload_is_announced_to_every_client(cluster: Running, tmp_path: Path) -> None:
    received: dict[tuple[str, str], list[dict[str, Any]]] = {}
    clients = []
    for web in cluster.webs:
        for transport in ("polling", "websocket"):
            client = socketio.Client(reconnection=False, http_session=cluster.session_at(web))
            client.on("dataset_update", received.setdefault((web, transport), []).append)
            client.connect(cluster.url, transports=[transport], wait_timeout=30)
            assert client.call("join_dashboard", {}, timeout=30)["ok"]
            clients.append(client)
    archive = draw(tmp_path / "sample", train=12, val=6, size=192, seed=1)
    with archive.open("rb") as file:
        answer = requests.post(
            cluster.url + "/api/datasets", files={"file": ("s.zip", file)}, data={"name": "S"}, timeout=300
        )
    assert answer.status_code == 201, answer.text
    dataset_id = answer.json()["dataset_id"]
    for key, messages in received.items():
        until(
            lambda messages=messages: any(m["dataset_id"] == dataset_id and m["status"] == "valid" for m in messages),
            120,
            lambda where=key: f"{where}: {cluster.output}",
        )
    for web, client in zip([web for web in cluster.webs for _ in range(2)], clients, strict=True):
        sid = client.eio.sid
        client.disconnect()
        assert {where for path, where in cluster.passed() if f"sid={sid}" in path} <= {web}
    training = requests.post(cluster.url + "/api/trainings", json=TINY | {"dataset_id": dataset_id}, timeout=60)
    assert training.status_code == 201, training.text


def test_one_web_process_is_killed(cluster: Running) -> None:
    session = cluster.session_at(cluster.webs[0])
    web = psutil.Process(cluster.pids.pop("web 1"))
    for process in [web, *(child for child in web.children() if child.cmdline() == web.cmdline())]:
        process.kill()
    until(lambda: "web 1 (" in cluster.output, 60, lambda: cluster.output)
    assert session.get(cluster.url, timeout=60).status_code == 200


def test_ctrl_c_ends_all_of_it(cluster: Running) -> None:
    """Its training too, which would outlive the web processes."""

    def training() -> list[psutil.Process]:
        return [p for p in cluster.family() if "app.worker.run" in p.cmdline() and "models" in p.cmdline()[-1]]

    until(training, 120, lambda: cluster.output)
    (job,) = requests.get(cluster.url + "/api/jobs?status=running&kind=training", timeout=60).json()["jobs"]
    assert "-cpu" in job["runner"]
    family = cluster.family()
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(120) == 0
    _, alive = psutil.wait_procs(family, 10)
    assert alive == [], cluster.output
    assert cluster.family() == []
    assert not cluster.folder.exists()
    assert "Traceback" not in cluster.output


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Redis, with an empty PATH."""
    began = time.monotonic()
    answer = subprocess.run(COMMAND, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert answer.returncode == 1
    assert re.search(r"make cluster needs .*Redis.*not installed", answer.stderr)
    assert re.search(r"apt-get install .*redis-server", answer.stderr)
    assert time.monotonic() - began < 30
