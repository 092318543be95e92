"""Threads of an evaluation sleep while they wait."""

import os
import subprocess
import sys

import pytest

from app.jobs.process import child_environment
from app.worker.threads import POLICY, rest_when_idle


@pytest.mark.parametrize(("given", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, given: str | None, policy: str) -> None:
    monkeypatch.setenv(POLICY, "any")  # so that it is put back
    monkeypatch.delenv(POLICY)
    if given:
        monkeypatch.setenv(POLICY, given)
    rest_when_idle()
    assert os.environ[POLICY] == policy


def test_the_program_can_say_so_in_time() -> None:
    """torch reads it when it is imported."""
    code = "import sys, app.worker.run, app.worker.programs.evaluate; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_models_on_the_cpu_have_every_core() -> None:
    """ultralytics alone would leave one idle; an administrator's OMP_NUM_THREADS stays."""
    code = """
import subprocess, sys
import numpy, torch
from app.worker import threads
from app.worker.serving.engines import Engine
engine = Engine("yolov8n.yaml", "cpu")
engine.run([numpy.zeros((64, 64, 3), numpy.uint8)], 0.5, 0.5)
print("threads", torch.get_num_threads())
again = "from app.worker.threads import every_core; print('child', every_core())"
subprocess.run([sys.executable, "-c", again], env=threads.child_environment(), check=True)
"""
    plain = {name: value for name, value in child_environment({}).items() if name != "OMP_NUM_THREADS"}
    for environment, expected in ((plain, len(os.sched_getaffinity(0))), (plain | {"OMP_NUM_THREADS": "3"}, 3)):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, timeout=120, capture_output=True, text=True
        )
        assert f"threads {expected}" in done.stdout
        assert f"child {expected}" in done.stdout, "ultralytics' 1 in the environment is not inherited"
