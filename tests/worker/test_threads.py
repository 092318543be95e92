"""Threads of an evaluation sleep while they wait."""

import os
import subprocess
import sys

import pytest

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
