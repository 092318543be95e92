"""The supervisor: following a child through restarts of the server, and ending one that hangs."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.database import writing
from app.events import (
    Failed,
    Progress,
    encode,
)
from app.jobs import pulse as pulses
from app.jobs import watch
from app.jobs.process import Child
from app.jobs.pulse import Pulse
from app.models import Training
from app.services.trainer import recover
from app.services.trainer.transitions import new_job
from tests.services.runs import RUN, STARTED, FakeWorker, create_training, restart, service, wait, write_events


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeWorker]]:
    workers: list[FakeWorker] = []

    def start(*args: object) -> FakeWorker:
        workers.append(FakeWorker(*args))  # type: ignore[arg-type]
        return workers[-1]

    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


def test_restart_applies_the_rest(app: APIFlask) -> None:
    """The child ended while no server was running: its events are applied, from where the last server had stopped."""
    training_id = create_training(app)
    write_events(service(app).store.attempt_dir(training_id, 1), RUN)
    restart(app)
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.current_epoch) == ("completed", 3)


def test_restart_finds_a_dead_child(app: APIFlask) -> None:
    training_id = create_training(app, restarts=recover.TRIES)
    write_events(service(app).store.attempt_dir(training_id, 1), RUN[:5])
    restart(app)
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind, row.progress) == ("failed", "killed", {"stage": "failed"})
    assert row.end_time is not None


@pytest.mark.parametrize("recorded", [True, False], ids=["pid in the row", "server died before it kept the pid"])
def test_restart_follows_a_living_child(app: APIFlask, fake: Callable[..., FakeWorker], recorded: bool) -> None:
    training_id = create_training(app)
    directory = service(app).store.attempt_dir(training_id, 1)
    worker = fake(directory)
    if recorded:
        with app.app_context(), writing() as session:
            job = new_job(session.get_one(Training, training_id))
            job.runner = {"host": "here", "pid": worker.pid, "started": worker.started}
            session.add(job)
    write_events(directory, RUN[:6])
    restart(app)
    wait(app, training_id, lambda row: row.current_epoch == 1)
    write_events(directory, RUN[6:], 7)
    wait(app, training_id, lambda row: row.status == "completed")
    worker.process.kill()
    worker.process.wait()
    until(lambda: training_id not in service(app).active_trainings)


def until(holds: Callable[[], object]) -> None:
    limit = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_child_that_ignores_everything_is_killed(
    app: APIFlask, fake: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "ASK_S", 0.3)
    monkeypatch.setattr(watch, "TERM_S", 0.3)
    training_id = create_training(app)
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[2], 'deaf').touch()\n"
        "time.sleep(600)\n"
    )
    directory = service(app).store.attempt_dir(training_id, 1)
    worker = fake(directory, code)
    until((directory / "deaf").exists)
    restart(app)
    with app.app_context():
        assert service(app).cancel_training(training_id) == "running"
    assert wait(app, training_id, lambda row: row.status != "running").status == "cancelled"
    assert worker.process.wait(60) == -signal.SIGKILL


def test_a_child_without_a_pulse_is_killed(
    app: APIFlask, fake: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENT_S", 1.0)
    training_id = create_training(app, restarts=recover.TRIES)
    worker = fake(service(app).store.attempt_dir(training_id, 1))
    worker.process.send_signal(signal.SIGSTOP)
    restart(app)
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind) == ("failed", "stalled")
    assert worker.process.wait(60) == -signal.SIGKILL


def test_a_child_that_computes_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that holds the GIL prevents heartbeats; on a loaded machine for minutes."""
    monkeypatch.setattr(pulses, "PROCESSOR_CHECK_S", 0.0)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        child = Child(tmp_path, busy.pid, 0.0)
        pulse = Pulse(child)

        def compute(seconds: float) -> float:
            """Wait until it has used this much CPU time; returns its silence as a share of the wait."""
            pulse.silent_s()
            since = time.monotonic()
            deadline = (child.processor_s() or 0.0) + seconds
            while (child.processor_s() or 0.0) < deadline:
                time.sleep(0.01)
            return pulse.silent_s() / (time.monotonic() - since)

        began = time.monotonic()
        try:
            assert max(compute(0.1) for _ in range(3)) < 1
            busy.send_signal(signal.SIGSTOP)
            while pulse.silent_s() < 0.2:  # it was stopped
                assert time.monotonic() < began + 60
                time.sleep(0.01)
            busy.send_signal(signal.SIGCONT)
            monkeypatch.setattr(pulses, "UNSIGNALLED_S", 0.0)
            assert compute(0.1) > 1, "it turns round and round"
        finally:
            busy.kill()


def test_a_batch_that_hangs_is_a_stall_although_the_figures_go_on(
    app: APIFlask, fake: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = service(app).jobs.kind
    app.extensions["services"].jobs.register(replace(kind, idle_s=1.0))
    training_id = create_training(app, restarts=recover.TRIES)
    directory = service(app).store.attempt_dir(training_id, 1)
    code = (
        "import itertools, pathlib, sys, time\n"
        "from app.events import Figures, encode\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "for number in itertools.count(3):\n"
        "    (folder / 'heartbeat').touch()\n"
        "    with open(folder / 'events.jsonl', 'a') as file:\n"
        "        file.write(encode(Figures(1.0, 1, 2, 3, 4.0, 5.0, 6.0, 7.0), number))\n"
        "    time.sleep(0.2)\n"
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "events.jsonl").write_text(encode(STARTED, 1) + encode(Progress(1, 1, 9, 0.5), 2))
    fake(directory, code)
    restart(app)
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error_kind, row.error) == ("failed", "stalled", "no batch for 1 s")


def test_a_damaged_event_file_costs_its_lines(app: APIFlask, fake: Callable[..., FakeWorker]) -> None:
    """Truncated and filled with garbage while the child writes: events before and after it count; the page is
    notified.
    """
    training_id = create_training(app)
    directory = service(app).store.attempt_dir(training_id, 1)
    path = directory / "events.jsonl"
    fake(directory)
    path.write_text(encode(STARTED, 1) + encode(Progress(1, 1, 9, 0.5), 2))
    restart(app)
    wait(app, training_id, lambda row: row.event_seq == 2)
    path.write_bytes(b"\xff\x00 garbage\n" + b'{"seq": "x", "type": "Epoch"}\n')
    wait(app, training_id, lambda row: any(note["code"] == "events_damaged" for note in row.notes))
    with open(path, "ab") as file:
        file.write(encode(Failed("code", "its own reason"), 3).encode())
    row = wait(app, training_id, lambda row: row.status != "running")
    assert (row.status, row.error) == ("failed", "its own reason")
    assert [note["code"] for note in row.notes].count("events_damaged") == 1
