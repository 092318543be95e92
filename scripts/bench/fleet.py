"""What many queued jobs and many workers cost the web process: its CPU, its queries, its response times."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import requests

from app.config import ROOT
from scripts.bench.common import Figures, new_folder
from scripts.local_server import Server
from scripts.local_services import NotInstalled, PostgresServer, RedisServer

FEW, MANY = (100, 2), (10_000, 200)  # pending jobs, workers
WINDOW_S = 30.0
# Seconds per job: the larger fleet then ends four jobs per second, the smaller one a job every 25 s.
JOB_S = 50.0
PATHS = ("/api/jobs?per_page=20", "/api/trainings?per_page=20", "/api/system", "/health")
# The web process has a database user of its own, so that its statements can be separated from the workers'.
USER = "CREATE ROLE web SUPERUSER LOGIN"
STATEMENTS = (
    "SELECT coalesce(sum(calls), 0)::float, coalesce(sum(total_exec_time), 0)::float FROM pg_stat_statements "
    "JOIN pg_roles ON pg_roles.oid = userid WHERE rolname = 'web'"
)
SETTINGS = ("shared_preload_libraries=pg_stat_statements", "max_connections=300")
QUEUED = (
    "INSERT INTO job (kind, params, token, status, priority, position, progress, created_at) "
    "SELECT 'draw_sample', '{}', md5(n::text || random()::text), 'pending', 0, n, '{}', timezone('utc', now()) "
    "FROM generate_series(1, %s) n"
)


def fleet(folder: Path, args: argparse.Namespace) -> Figures:
    """Both sizes on the same machine, and the ratio of the larger to the smaller. No figures without PostgreSQL and
    Redis.
    """
    figures: Figures = {}
    try:
        for name, (jobs, workers) in (("few", FEW), ("many", MANY)):
            measured = measure(new_folder(folder, name), jobs, workers)
            figures |= {f"{jobs} queued, {workers} workers: {figure}": value for figure, value in measured.items()}
    except NotInstalled:
        return {}
    return figures | {"load of the machine": os.getloadavg()[0]}


def measure(folder: Path, jobs: int, number: int) -> Figures:
    postgres, redis = PostgresServer(*SETTINGS), RedisServer(folder)
    try:
        postgres.start(), redis.start()
        with psycopg.connect(postgres.url, autocommit=True) as database:
            database.execute("CREATE EXTENSION pg_stat_statements")
            database.execute(USER)
            as_web = postgres.url.replace("yolo@", "web@")
            shared = {"DATABASE_URL": as_web, "REDIS_URL": redis.url, "DISPATCH": "rq", "RATELIMIT_ENABLED": "False"}
            with Server(folder, "threading", **shared) as web:
                workers_settings = web.settings | {"DATABASE_URL": postgres.url}
                with running_workers(number, workers_settings):
                    return observe(web, database, jobs, number)
    finally:
        redis.stop(), postgres.stop()


@contextmanager
def running_workers(number: int, settings: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "scripts.bench.fleet_workers", str(number), str(JOB_S)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the workers did not start")
        yield
    finally:
        process.kill()
        process.wait()


def observe(web: Server, database: "psycopg.Connection[tuple[float, float]]", jobs: int, workers: int) -> Figures:
    """Measure for WINDOW_S, once all jobs are in the workers' queues and each worker has one."""
    began = time.monotonic()
    database.execute(QUEUED, (jobs,))
    waits = "SELECT count(*) FROM job WHERE status = 'pending' AND delivered_to IS NULL"
    while count(database, waits):
        time.sleep(0.1)
    delivered_s = time.monotonic() - began
    runs = "SELECT count(*) FROM job WHERE status = 'running'"
    while count(database, runs) < workers - workers // 20:  # some are between two jobs
        time.sleep(0.1)
    process = psutil.Process(web.worker_pids()[-1])
    seconds: dict[str, list[float]] = {path: [] for path in PATHS}
    used = sum(process.cpu_times()[:2])
    calls, took = row(database)
    began = time.monotonic()
    while time.monotonic() - began < WINDOW_S:  # a user looks at the pages once a second
        for path in PATHS:
            sent = time.perf_counter()
            requests.get(web.url + path, timeout=60).raise_for_status()
            seconds[path].append(time.perf_counter() - sent)
        time.sleep(max(0.0, 1 - (time.monotonic() - began) % 1))
    window = time.monotonic() - began
    calls_then, took_then = row(database)
    figures = {
        "all delivered after, s": delivered_s,
        "jobs begun twice": count(database, "SELECT count(*) FROM job WHERE attempt > 1"),
        "web CPU, % of a core": 100 * (sum(process.cpu_times()[:2]) - used) / window,
        "queries of web a second": (calls_then - calls) / window,
        "database's time for web, ms a second": (took_then - took) / window,
    }
    return figures | {
        f"GET {path}, median, ms": 1000 * statistics.median(durations) for path, durations in seconds.items()
    }


def row(database: "psycopg.Connection[tuple[float, float]]") -> tuple[float, float]:
    """The number of statements of the web process so far, and their time in ms."""
    totals = database.execute(STATEMENTS).fetchone()
    assert totals is not None
    return totals


def count(database: "psycopg.Connection[tuple[float, float]]", statement: LiteralString) -> float:
    """The number of rows."""
    row_count = database.execute(statement).fetchone()
    assert row_count is not None
    return row_count[0]
