"""Viewers of one training on two web processes, which receive its messages through Redis: their delay."""

import argparse
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil

from scripts.bench.common import Figures, new_folder
from scripts.bench.load import MESSAGES, PAUSE_S
from scripts.load import training_with_child, watch
from scripts.local_server import Server, settings_for
from scripts.local_services import NotInstalled, PostgresServer, RedisServer
from scripts.processes import kill_below

SHARED = ("DATA_ROOT", "INSTANCE_PATH")


def replicas(folder: Path, args: argparse.Namespace) -> Figures:
    """`args.viewers` viewers on each of the two; no figures without PostgreSQL and Redis on this machine."""
    shared_folder = new_folder(folder, "shared")
    postgres, redis = PostgresServer(), RedisServer(shared_folder)
    try:
        postgres.start(), redis.start()
        settings = {name: value for name, value in settings_for(shared_folder).items() if name in SHARED}
        settings |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        return watch_both(shared_folder, settings, args.viewers)
    except NotInstalled:
        return {}
    finally:
        redis.stop(), postgres.stop()


def watch_both(folder: Path, settings: dict[str, str], viewers: int) -> Figures:
    training_id, directory, child = training_with_child(folder, MESSAGES, PAUSE_S, **settings)
    servers = [Server(new_folder(folder, name), "threading", **settings) for name in ("first", "second")]
    try:
        processes = [psutil.Process(server.start().worker_pids()[-1]) for server in servers]
        before = [sum(process.cpu_times()[:2]) for process in processes]
        ask = partial(watch, training_id=training_id, count=viewers, go=directory / "go")
        with ThreadPoolExecutor(len(servers)) as pool:
            watched = list(pool.map(ask, [server.url for server in servers]))
        cpu = [sum(process.cpu_times()[:2]) - began for process, began in zip(processes, before, strict=True)]
    finally:
        for server in servers:
            server.end()
        child.kill()
        kill_below(folder)
    figures: Figures = {"viewers of each": float(viewers), "messages a second": 1 / PAUSE_S}
    for name, results, used in zip(("first, leads", "second"), watched, cpu, strict=True):
        delays = sorted(delay for _, viewer_delays in results for delay in viewer_delays)
        if any(times != 1 for numbers, _ in results for times in numbers.values()):
            raise RuntimeError(f"{name}: a message came twice")
        figures[f"{name}: p50, ms"], figures[f"{name}: p99, ms"] = quantiles(delays)
        figures[f"{name}: CPU, s"] = used
    return figures | {"load of the machine": os.getloadavg()[0]}


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile of sorted values."""
    return statistics.median(values), values[int(0.99 * len(values))]
