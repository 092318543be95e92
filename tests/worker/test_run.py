"""The common main() of child processes: what it waits for, and what ends a child whose job is over."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import ROOT
from app.jobs.process import Child, find_child, starter_lives
from app.jobs.shared import end_children
from app.worker.run import ORPHANED

# A server that starts the child of a job, and ends, or waits, before the row names its process.
SERVER = """
import json, sys, time
from pathlib import Path
from app.jobs.kinds import JobKind
from app.jobs.launch import start_child
kind = JobKind("draw", "sample", lambda job, directory: {})
child = start_child(kind, {}, Path(sys.argv[1]), json.loads(sys.argv[2]), {})
print(child.pid, flush=True)
time.sleep(float(sys.argv[3]))
"""


def server(directory: Path, seconds: float) -> "subprocess.Popen[str]":
    spec = {"program": "sample", "output": str(directory / "a.zip"), "train": 20, "val": 1, "size": 32}
    command = [sys.executable, "-c", SERVER, str(directory), json.dumps(spec), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_child_that_no_row_names_does_nothing(tmp_path: Path) -> None:
    """The follower of the job starts another one, in the same folder."""
    directory = tmp_path / "job" / "1"
    with server(directory, 0) as process:
        assert process.stdout is not None
        child = Child(directory, int(process.stdout.readline()), 0.0)
    until = time.monotonic() + 60
    while find_child(directory) is not None:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert list(child.events()) == []
    assert not (directory / "a.zip").exists()


def test_a_child_is_served_by_the_process_that_started_it(tmp_path: Path) -> None:
    """Whatever the command of that is: `flask run`, a gunicorn, a script."""
    directory = tmp_path / "job" / "1"
    process = server(directory, 60)
    assert process.stdout is not None
    process.stdout.readline()
    child = find_child(directory)
    assert child is not None
    about = [(child.pid, child.started, directory)]
    try:
        end_children(about, set())
        assert child.alive()
        assert starter_lives(child.pid)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert not starter_lives(child.pid)
    end_children(about, set())
    until = time.monotonic() + 60
    while child.alive():
        assert time.monotonic() < until
        time.sleep(0.05)


def end_the_job(directory: Path) -> None:
    shutil.rmtree(directory.parent)


def begin_another_attempt(directory: Path) -> None:
    """On another host: this one's was cut off, or suspended."""
    directory.with_name("2").mkdir()


@pytest.mark.parametrize("end", [end_the_job, begin_another_attempt])
def test_a_child_ends_with_its_attempt(tmp_path: Path, end: Callable[[Path], None]) -> None:
    directory, output = tmp_path / "job" / "1", tmp_path / "sample.zip"
    spec = {"program": "sample", "output": str(output), "train": 100_000, "val": 1, "size": 32}
    child = Child.start("run", directory, spec, {})
    until = time.monotonic() + 180
    while not list(child.events()):
        assert child.alive(), child.log_tail()
        assert time.monotonic() < until
        time.sleep(0.05)
    end(directory)
    while child.alive():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert child.exit_code() == ORPHANED
    assert not output.exists()
