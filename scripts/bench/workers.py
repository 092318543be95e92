"""Jobs through RQ to a worker (DISPATCH=rq): how soon they start, and how fast their events are recorded."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import create_app
from app.config import ROOT
from app.database import writing
from app.events import Envelope
from app.events.training import Figures as Machine
from app.extensions import db
from app.models import Dataset, Training
from app.services import services
from scripts.bench.common import Figures, new_folder
from scripts.local_server import Server
from scripts.local_services import NotInstalled, PostgresServer, RedisServer

JOBS, BATCHES, BATCH = 40, 20, 250
MACHINE = Machine(50.0, 1, 2, 1, 0.0, 0.0, 0.0, 0.0)


def workers(folder: Path, args: argparse.Namespace) -> Figures:
    """From a job's row to its claim by an idle worker, and events per second into PostgreSQL; with the services of
    --postgres, an empty database, and --redis, which nobody else uses, or with our own. No figures without them.
    """
    postgres, redis = PostgresServer(), RedisServer(folder)
    try:
        database = args.postgres or postgres.start().url
        return measure(folder, {"DATABASE_URL": database, "REDIS_URL": args.redis or redis.start().url})
    except NotInstalled:
        return {}
    finally:
        redis.stop(), postgres.stop()


def measure(folder: Path, addresses: dict[str, str]) -> Figures:
    shared = addresses | {"DISPATCH": "rq"}
    with Server(new_folder(folder, "workers"), "threading", **shared) as web:
        environment = os.environ | web.settings
        worker = subprocess.Popen(
            [sys.executable, "-m", "scripts.worker", "--cpu"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            app = create_app("cli", web.settings)
            with app.app_context():
                figures = dispatch(app.extensions["services"].jobs) | ingestion()
            return figures | {"load of the machine": os.getloadavg()[0]}
        finally:
            worker.terminate()
            worker.wait(60)


def dispatch(jobs: Any) -> Figures:
    """Exports of a dataset that does not exist: they fail after they were claimed."""
    job = jobs.submit("export_dataset", {"revision": 0}, ("dataset", 1))
    jobs.wait(job.id, 120)  # the worker is listening from here on
    seconds = []
    for number in range(1, JOBS + 1):
        job = jobs.wait(jobs.submit("export_dataset", {"revision": number}, ("dataset", 1)).id, 60)
        seconds.append((job.started_at - job.created_at).total_seconds())
        db.session.rollback()
        time.sleep(0.3)  # until the worker listens again
    quantiles = statistics.quantiles(seconds, n=20)
    return {"dispatch to a free worker, median, s": statistics.median(seconds), "95th percentile, s": quantiles[18]}


def ingestion() -> Figures:
    """Events of one training, each of which gets a row, read in batches of their usual size."""
    with writing() as session:
        dataset = Dataset(name="A", path="datasets/1", status="valid")
        session.add(dataset)
        session.flush()
        run = Training(name="Run", dataset_id=dataset.id, model_version="n", status="running", epochs=1, attempt=1)
        session.add(run)
        session.flush()
        training_id = run.id
    recorder = services().trainer.recorder
    began, used = time.monotonic(), time.process_time()
    for first in range(1, BATCHES * BATCH, BATCH):
        events = [(100 * seq, Envelope(seq, datetime.now(UTC), MACHINE)) for seq in range(first, first + BATCH)]
        recorder.apply(training_id, 1, events)
    number = BATCHES * BATCH
    seconds, used = time.monotonic() - began, time.process_time() - used
    return {"events a second into PostgreSQL": number / seconds, "CPU of who writes one, ms": 1000 * used / number}
