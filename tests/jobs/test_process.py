"""The process of a job's child."""

import subprocess
import sys

import pytest

from scripts.local_server import MODES, ROOT

RELEASE = """
import sys
if sys.argv[1] == "eventlet":
    import eventlet
    eventlet.monkey_patch()
import os
from pathlib import Path
from app.jobs.process import Child
reader, gate = os.pipe()
os.close(reader)
Child(Path("/nowhere"), 0, 0.0, gate).release()
try:
    os.fstat(gate)
except OSError:
    print("closed")
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_child_killed_before_its_work_is_released_all_the_same(mode: str) -> None:
    """With eventlet the supervisor waited for ever: the run had no process, and never failed."""
    command = [sys.executable, "-W", "ignore", "-c", RELEASE, mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("closed\n", 0), done.stderr
