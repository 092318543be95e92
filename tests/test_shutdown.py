"""The end of the server: in time however loaded the machine is, with ON_SHUTDOWN=stop after the trainings
have paused.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from apiflask import APIFlask

from app import shutdown
from app.config import Settings, load_settings
from app.core.setting_values import sqlite_file
from scripts.local_server import MODES, ROOT, settings_for

PAUSES = """
import pathlib, sys, time
stop = pathlib.Path(sys.argv[-1]) / "stop"
while not stop.exists():
    time.sleep(0.02)
(pathlib.Path(sys.argv[-1]) / "heard").write_text(stop.read_text())
"""
STAYS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print("ready", flush=True)
time.sleep(300)
"""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children as jobs do, each in its own session."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(directory: Path, code: str, main: str = "app.worker.run") -> subprocess.Popen[bytes]:
        directory.mkdir(parents=True)
        command = [sys.executable, "-c", code, main, str(directory)]
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
        started.append(process)
        while main.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)  # between fork and exec
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):  # processes that it started keep its output open
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def settings(folder: Path, on_shutdown: str = "stop") -> Settings:
    return replace(load_settings(settings_for(folder)), ON_SHUTDOWN=on_shutdown)


def test_trainings_below_the_folder_pause(tmp_path: Path, start: Start) -> None:
    mine, outside = tmp_path / "data" / "models" / "1" / "attempts" / "1", tmp_path / "other" / "1"
    older = tmp_path / "data" / "models" / "2" / "attempts" / "1"
    start(mine, PAUSES)
    untouched = start(outside, PAUSES)
    start(older, PAUSES, "app.worker.train")
    assert shutdown.finish(settings(tmp_path), lambda: 60.0) == 0
    assert (mine / "heard").read_text() == "pause"
    assert (older / "heard").read_text() == "pause", "one that the version before this one started"
    assert untouched.poll() is None
    assert not (outside / "stop").exists()


def test_jobs_of_every_kind_receive_the_stop_request(tmp_path: Path, idle_app: APIFlask, start: Start) -> None:
    """Each kind chooses its folder; one outside of the data folder would be missed."""
    jobs = idle_app.extensions["services"].jobs
    names = jobs.kinds.names()
    assert len(names) >= 12, names
    folders = {}
    for number, name in enumerate(names, 1):
        row = SimpleNamespace(id=number, subject_id=number, token=f"{number}", attempt=1, params={})
        folders[name] = jobs.kinds[name].directory_of(row, jobs.root)
        start(folders[name], PAUSES)
    assert shutdown.finish(settings(tmp_path), lambda: 60.0) == 0
    assert {name: (folder / "heard").read_text() for name, folder in folders.items()} == dict.fromkeys(names, "pause")


def test_one_that_does_not_pause_in_time_is_killed_with_its_children(tmp_path: Path, start: Start) -> None:
    directory = tmp_path / "data" / "models" / "1"
    process = start(directory, STAYS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert shutdown.finish(settings(tmp_path, "continue"), lambda: 60.0) == 0
    assert not (directory / "stop").exists(), "it is not asked where trainings continue"
    assert shutdown.finish(settings(tmp_path), lambda: 0.0) == 1
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.read()  # ends with the last process that has it open


def test_the_end_imports_nothing_heavy() -> None:
    """The master has not imported the application; a second of CPU time is twenty seconds on a loaded machine."""
    code = "import sys, app.shutdown, app.guard; print(sorted({'flask', 'sqlalchemy', 'app.jobs'} & set(sys.modules)))"
    completed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


HANGS = """
import ctypes, sys
if sys.argv[1] == "eventlet":
    import eventlet
    eventlet.monkey_patch()
from app import guard
guard.END_S = 5.0
class Arbiter:
    def stop(self, graceful=True):
        print("stopping", flush=True)
arbiter = Arbiter()
guard.end_in_time(arbiter)
arbiter.stop()
arbiter.stop(False)  # a second SIGTERM restarts nothing
assert guard.seconds_to_pause() < guard.PAUSE_S
ctypes.CDLL(None).sleep(300)
"""


@pytest.mark.parametrize("mode", MODES)
def test_whatever_the_end_waits_for_it_comes(mode: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", HANGS, mode]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (completed.returncode, completed.stdout) == (0, "stopping\nstopping\n"), completed.stderr


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:////a/b c.db", "/a/b c.db"),
        ("sqlite+pysqlite:////a/b.db?timeout=5", "/a/b.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("postgresql+psycopg://a:b@c/d", None),
    ],
)
def test_the_file_of_an_address(address: str, path: str | None) -> None:
    assert sqlite_file(address) == (path and Path(path))
