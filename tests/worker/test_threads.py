"""Threads of an evaluation sleep while they wait."""

import os
import subprocess
import sys

import pytest

from app.jobs.process import child_environment
from app.worker.threads import POLICY, rest_when_idle


@pytest.mark.parametrize(("value", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_unless_configured(monkeypatch: pytest.MonkeyPatch, value: str | None, policy: str) -> None:
    monkeypatch.setenv(POLICY, "any")  # so that it is restored
    monkeypatch.delenv(POLICY)
    if value:
        monkeypatch.setenv(POLICY, value)
    rest_when_idle()
    assert os.environ[POLICY] == policy


def test_the_program_sets_it_before_torch_is_imported() -> None:
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
    base = {name: value for name, value in child_environment({}).items() if name != "OMP_NUM_THREADS"}
    for environment, expected in ((base, len(os.sched_getaffinity(0))), (base | {"OMP_NUM_THREADS": "3"}, 3)):
        process = subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, timeout=120, capture_output=True, text=True
        )
        assert f"threads {expected}" in process.stdout
        assert f"child {expected}" in process.stdout, "ultralytics' 1 in the environment is not inherited"
