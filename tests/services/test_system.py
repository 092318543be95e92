"""Figures of the machine: rates, processes, devices, the database's times, the end of the log; and their endpoints."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import text

from app.database import writing
from app.extensions import db
from app.jobs import Job
from app.jobs.process import Child
from app.models import Training
from app.services.system import exposition, logs
from app.services.system.database import QueryTimes
from app.services.system.gpus import gpu
from app.services.system.processes import child_of, devices, list_processes, training_of
from app.services.system.rates import Processor, Rates
from scripts.local_server import ROOT
from tests.data import change_settings, valid_dataset
from tests.services.runs import claim, create_training

LOG = """the rest of another
2026-01-02 03:04:05,678 [INFO] yolo.training: training 1 created
2026-01-02 03:04:06,000 [ERROR] yolo.errors: GET /x
Traceback (most recent call last):
  ValueError: [WARNING] not an entry
2026-01-02 03:04:07,000 [WARNING] yolo.database: a write has to wait
"""


def test_rates_are_gains_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counters = [100.0], {"read": 1000}
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    rates = Rates(lambda: dict(counters))
    assert rates.rates() == {"read": 0.0}
    counters["read"], clock[0] = 5000, 102.0
    assert rates.rates() == {"read": 2000.0}
    counters["read"], clock[0] = 9000, 102.5
    assert rates.rates() == {"read": 2000.0}, "a look is kept for a second"
    counters["read"], clock[0] = 10, 104.0
    assert rates.rates() == {"read": 0.0}, "counters that began anew"
    assert Rates(lambda: None).rates() == {}


def test_how_busy_the_cores_are(monkeypatch: pytest.MonkeyPatch) -> None:
    times = namedtuple("times", "user idle iowait guest")
    clock, cores = [100.0], [times(10, 10, 0, 0), times(0, 0, 0, 0)]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr("psutil.cpu_times", lambda percpu: list(cores))
    processor = Processor()
    assert processor.percent() == (0.0, [0.0, 0.0])
    clock[0], cores[:] = 102.0, [times(11.5, 10.4, 0.1, 1.5), times(0, 2, 0, 0)]
    with ThreadPoolExecutor(1) as another:  # for any thread
        assert another.submit(processor.percent).result() == (37.5, [75.0, 0.0])
    clock[0], cores[:] = 102.5, [times(12, 10.4, 0.1, 1.5), times(0.5, 2, 0, 0)]
    assert processor.percent() == (37.5, [75.0, 0.0]), "a look is kept for a second"
    clock[0], cores[:] = 104.0, cores[:1]
    assert processor.percent()[0] == 37.5, "a core was switched off"


def test_the_log_by_level_and_text(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    assert logs.tail(path, "INFO", "", 10) == {"entries": [], "complete": True}
    path.write_text(LOG)
    every = logs.tail(path, "DEBUG", "", 10)
    assert [entry["level"] for entry in every["entries"]] == ["INFO", "ERROR", "WARNING"]
    assert every["entries"][1]["message"].endswith("ValueError: [WARNING] not an entry")
    assert [entry["logger"] for entry in logs.tail(path, "WARNING", "", 1)["entries"]] == ["yolo.database"]
    assert len(logs.tail(path, "DEBUG", "valueerror", 10)["entries"]) == 1
    path.write_text(LOG * 10_000)
    long = logs.tail(path, "ERROR", "", 5)
    assert (len(long["entries"]), long["complete"]) == (5, False)


def test_times_of_queries() -> None:
    times = QueryTimes()
    assert times.figures()["median"] is None
    for milliseconds in range(1, 101):
        times.add(milliseconds)
    assert times.figures() == {"queries": 100, "median": 50.5, "p95": 95.0, "longest": 100.0}


def test_every_query_is_timed(idle_app: APIFlask) -> None:
    times = idle_app.extensions["services"].system.queries
    with idle_app.app_context():
        before = times.count
        db.session.execute(text("SELECT 1"))
    assert times.count > before


def test_children_are_identified_by_their_command(tmp_path: Path) -> None:
    directory = tmp_path / "models" / "7" / "attempts" / "1"
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text('{"program": "train"}')
    command = [sys.executable, "-m", "app.worker.run", str(directory)]
    program, folder = child_of(command)
    assert (program, training_of(folder, tmp_path)) == ("train", 7)
    ready = [sys.executable, "-m", "app.worker.run", "--prewarm", "import_dataset", "/data/jobs/1"]
    assert child_of(ready) == ("import_dataset", Path("/data/jobs/1"))
    assert child_of(["python", "-c", "import app.worker.run"]) == (None, None)
    assert training_of(tmp_path / "tmp" / "x", tmp_path) is None


def test_the_server_and_its_children_are_listed(tmp_path: Path) -> None:
    spec: dict[str, Any] = {"program": "sample", "output": str(tmp_path / "x.zip"), "train": 20000, "val": 1}
    child = Child.start("run", tmp_path / "tmp" / "sample", spec, {})
    try:
        listed = [item for item in list_processes(tmp_path) if item["pid"] in {os.getpid(), child.pid}]
        assert [item["program"] for item in listed] == ["web", "sample"]  # others are of servers of earlier tests
        assert listed[1]["pid"] == child.pid
        assert listed[1]["rss"] > 0
    finally:
        child.signal(signal.SIGKILL)
    while child.alive():
        time.sleep(0.01)
    unrelated = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        pids = {item["pid"] for item in list_processes(tmp_path)}
        assert os.getpid() in pids
        assert not {child.pid, unrelated.pid} & pids
    finally:
        unrelated.communicate(b"\n")


def test_devices_name_their_users(idle_app: APIFlask) -> None:
    dataset_id = valid_dataset(idle_app)
    with idle_app.app_context():
        with writing() as session:
            session.add(Training(id=5, name="Run", dataset_id=dataset_id, model_version="n", status="running"))
        listed = devices([{"index": 0, "name": "Card"}], {5: ("0",)}, ["cpu"])
    assert [(item["device"], item["measuring"]) for item in listed] == [("cpu", True), ("0", False)]
    assert listed[1]["trainings"] == [{"id": 5, "name": "Run"}]


def test_a_card_without_all_readings() -> None:
    class Refuses(Exception):
        pass

    class Nvml:
        NVMLError = Refuses
        NVML_TEMPERATURE_GPU = 0

        def __getattr__(self, name: str) -> Any:
            def ask(*_: Any) -> Any:
                if name == "nvmlDeviceGetPowerUsage":
                    return 123_456
                if name == "nvmlDeviceGetHandleByIndex":
                    return object()
                raise Refuses

            return ask

    figures = gpu(Nvml(), 0)
    assert (figures["power"], figures["power_limit"], figures["utilization"], figures["name"]) == (
        123.5,
        None,
        None,
        None,
    )


def test_the_endpoints(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    body = client.get("/api/system").json
    assert {"host", "network", "database", "devices", "processes"} <= body.keys()
    assert body["database"]["kind"] == "sqlite"
    assert body["database"]["size"] > 0
    assert body["devices"][0]["device"] == "cpu"
    assert body["processes"][0]["program"] == "web"
    assert len(body["cpu"]["each"]) >= 1
    logging.getLogger("yolo.test").warning("something happened")
    assert client.get("/api/system/logs?level=DEBUG").json["entries"]
    assert client.get("/api/system/logs?level=LOUD").status_code == 422
    change_settings(idle_app, METRICS_ENABLED=False)
    assert client.get("/api/system/logs").status_code == client.get("/api/system").status_code == 404


def test_a_device_names_the_runs_that_train_on_it(idle_app: APIFlask) -> None:
    """And not those of other jobs there."""
    ended, running = create_training(idle_app, status="cancelled"), create_training(idle_app, status="pending")
    assert claim(idle_app) == [running]
    with idle_app.app_context(), writing() as session:
        about = {"subject_type": "training", "subject_id": ended}
        session.add(Job(kind="evaluate", params={}, status="running", devices=["cpu"], **about))
    (device,) = idle_app.test_client().get("/api/system").json["devices"]
    assert [item["id"] for item in device["trainings"]] == [running]


SAMPLE = re.compile(r'yolo_(\w+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.e+-]+)')


def samples(text: str) -> dict[str, float]:
    """By name and labels; every line is a sample, or a valid comment."""
    lines = [
        line
        for line in text.splitlines()
        if not re.fullmatch(r"# (HELP yolo_\w+ .+|TYPE yolo_\w+ (gauge|counter))", line)
    ]
    matches = [SAMPLE.fullmatch(line) for line in lines]
    assert all(matches), text
    return {match[1] + (match[2] or ""): float(match[3]) for match in matches if match}


def test_figures_for_prometheus(idle_app: APIFlask) -> None:
    dataset_id = valid_dataset(idle_app)
    with idle_app.app_context(), writing() as session:
        session.add(Training(name="Run", dataset_id=dataset_id, model_version="n", status="paused"))
    client = idle_app.test_client()
    answer = client.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    values = samples(answer.text)
    assert values['trainings{status="paused"}'] == 1
    assert values['trainings{status="running"}'] == 0
    assert 0 <= values["cpu_usage_ratio"] <= 1
    assert values['disk_bytes{kind="total"}'] > values['disk_bytes{kind="free"}'] > 0
    assert 0 < values['database_query_seconds{quantile="0.5"}'] <= values['database_query_seconds{quantile="1"}'] < 60
    assert not any(name.startswith("gpu") for name in values)
    change_settings(idle_app, METRICS_ENABLED=False)
    assert client.get("/metrics").status_code == 404


def test_gpus_for_prometheus(idle_app: APIFlask) -> None:
    figures = idle_app.test_client().get("/api/system").json
    card = {"index": 0, "name": 'A "b" \\ c', "utilization": 50, "memory_used": 2**36 + 1, "memory_total": 2**37}
    figures["gpus"] = [card | {"temperature": None, "power": 71.5}]
    values = samples(exposition.exposition(figures))
    mine = r'gpu="0",name="A \"b\" \\ c"'
    assert values[f"gpu_usage_ratio{{{mine}}}"] == 0.5
    named = mine.replace(",", ',kind="used",')
    assert values[f"gpu_memory_bytes{{{named}}}"] == 2**36 + 1
    assert values[f"gpu_power_watts{{{mine}}}"] == 71.5
    assert not any(name.startswith("gpu_temperature") for name in values), "it does not tell"


def test_the_system_room_gets_the_jobs(idle_app: APIFlask) -> None:
    """Everything sent through the socket is JSON, including times."""
    training_id = create_training(idle_app, "pending")
    with idle_app.app_context():
        services = idle_app.extensions["services"]
        services.trainer.reconcile()
        (job,) = json.loads(json.dumps(services.system.as_json()))["jobs"]
    assert (job["kind"], job["subject"]["id"], job["status"]) == ("training", training_id, "pending")
    assert job["created_at"].endswith("Z")


def named(script: str, constant: str) -> set[str]:
    """The keys of an object in one of the pages' scripts."""
    source = (ROOT / "app" / "static" / "js" / script).read_text(encoding="utf-8")
    block = source[source.index(f"const {constant} = {{") :]
    return set(re.findall(r"^  (\w+): \(\) =>", block[: block.index("\n};")], re.M))


def test_the_page_has_a_name_for_each_program_and_kind_of_job(idle_app: APIFlask) -> None:
    """Otherwise it would show `split_preview` in the middle of its sentences."""
    programs = {path.stem for path in (ROOT / "app" / "worker" / "programs").glob("[a-z]*.py")}
    assert programs - named("pages/system.js", "PROGRAMS") == set()
    kinds = set(idle_app.extensions["services"].jobs.kinds.names())
    assert kinds - named("ui/jobs.js", "KINDS") == set()


def test_only_the_first_of_thousands_of_waiting_jobs_are_listed(idle_app: APIFlask) -> None:
    with idle_app.app_context(), writing() as session:
        statuses = [*["running"] * 3, *["pending"] * 60]
        session.add_all([Job(kind="draw_sample", status=status, position=n) for n, status in enumerate(statuses)])
    listed = idle_app.test_client().get("/api/system").json["jobs"]
    assert [job["status"] for job in listed] == [*["running"] * 3, *["pending"] * 50]
    assert [job["id"] for job in listed] == sorted(job["id"] for job in listed)
