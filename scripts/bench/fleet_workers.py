"""`python -m scripts.bench.fleet_workers NUMBER SECONDS`, with a platform's settings: that many workers in one process.

Their jobs only sleep for that time. Everything around the child process is real: RQ's tickets, claims, heartbeats.
"""

import os
import random
import sys
import threading
import time

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty
from sqlalchemy import create_engine

from app import create_app
from app.config import load_settings
from app.database import writing
from app.extensions import db
from app.jobs import Job, JobStatus, workers
from app.jobs.devices import CPU
from app.jobs.rq_worker import MONITOR_S
from app.jobs.transitions import change
from app.jobs.work_queues import served
from app.jobs.workers import WorkerName
from app.jobs.workhorse import WorkHorse

TICKET_S = 10  # the timeout with which RQ waits under our worker_ttl
# that claim and end jobs at the same time: the application's pool has 30, workers on real hosts have one each
CONNECTIONS = 20


class Fleet:
    """Threads, each of which is a worker.

    Args:
        seconds: of a job, on average.
    """

    def __init__(self, number: int, seconds: float) -> None:
        self.app = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"})
        self.connections = threading.Semaphore(CONNECTIONS)
        self.seconds = seconds
        self.engine = create_engine(self.app.config["SQLALCHEMY_DATABASE_URI"], pool_size=5, max_overflow=20)
        self.redis = Redis.from_url(load_settings(os.environ).REDIS_URL, max_connections=number + 10)
        jobs = self.app.extensions["services"].jobs
        self.horses = [
            WorkHorse(self.app, jobs, WorkerName(f"worker-{index}", f"host-{index}", index, (CPU,)))
            for index in range(number)
        ]

    def run(self) -> None:
        for horse in self.horses:
            with self.engine.begin() as connection:
                workers.register(connection, horse.worker, {})
            threading.Thread(target=self.work, args=(horse,), daemon=True).start()
        print("ready", flush=True)
        while True:
            began = time.monotonic()
            for horse in self.horses:
                with self.engine.begin() as connection:
                    workers.beat(connection, horse.worker.name, workers.BUSY, works=True)
                time.sleep(MONITOR_S / 2 / len(self.horses))
            time.sleep(max(0.0, MONITOR_S / 2 - (time.monotonic() - began)))

    def work(self, horse: WorkHorse) -> None:
        queues = [Queue(name, connection=self.redis, serializer=JSONSerializer) for name in served(0)]
        while True:
            try:
                dequeued = Queue.dequeue_any(
                    queues,
                    TICKET_S,
                    connection=self.redis,
                    serializer=JSONSerializer,
                    death_penalty_class=TimerDeathPenalty,
                )
            except Exception:  # no ticket arrived
                continue
            if dequeued is None:
                continue
            ticket, queue = dequeued
            ticket.delete()
            with self.connections, self.app.app_context():
                claimed = horse.claim(queue.name)
                db.session.remove()
            if claimed is not None:
                time.sleep(self.seconds * random.uniform(0.5, 1.5))
                self.end(*claimed)

    def end(self, job_id: int, attempt: int) -> None:
        """Complete the job, unless it was displaced."""
        with self.connections, self.app.app_context():
            with writing() as session:
                job = session.get_one(Job, job_id)
                if (job.status, job.attempt) == (JobStatus.RUNNING, attempt):
                    change(job, JobStatus.COMPLETED, result={})
            db.session.remove()


if __name__ == "__main__":
    os.nice(5)  # real workers have hosts of their own: these leave the CPU to the web process
    Fleet(int(sys.argv[1]), float(sys.argv[2])).run()
