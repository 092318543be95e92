"""The web side of the files of workers without a shared volume. The leading process publishes what jobs read before
they are delivered, receives what their children write into the data folder, and removes unused objects.

The data folder of the web processes is complete, as on one machine; the store is a channel and a buffer.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask import Flask

from app.cluster import Cluster
from app.database import DATABASE_UNAVAILABLE
from app.jobs.files import AttemptFiles, SharedFiles
from app.jobs.kinds import Kinds
from app.jobs.model import Job
from app.jobs.outages import OutageLog
from app.jobs.publishing import RETRY_S, Publisher
from app.jobs.receiving import Receiver
from app.jobs.store_sweep import StoreSweeper
from app.object_store.bucket import Bucket, retrying
from app.object_store.errors import StoreAway

logger = logging.getLogger("yolo.storage")

ROUND_S = 0.5
SWEEP_S = 60.0
THREADS = 4  # jobs whose files are received in parallel


class Collector:
    """
    Args:
        bucket: of this installation. data: the data folder.
        content_hashes: of all existing versions of datasets.
        published: called when a job can be delivered.
        completed: called with a job that has ended, once its files were received.
    """

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        data: Path,
        kinds: Kinds,
        content_hashes: Callable[[], Collection[str]],
        published: Callable[[], object],
        completed: Callable[[Job], object],
    ) -> None:
        self.kinds, self.outages = kinds, OutageLog(log_outage)
        self.receiver = Receiver(bucket, data, kinds, completed)
        self.publisher = Publisher(bucket, data, kinds, self.receiver.receive, published, self.outages)
        self.sweeper = StoreSweeper(bucket, content_hashes, self.receiver, self.publisher)
        self._swept_at = 0.0

    # For supervisors in this process: their children work in the data folder itself.

    def of_attempt(self, job: Job, kind: Any, row: Any) -> AttemptFiles:
        return SharedFiles()

    def receive_last(self, job: Job, check: Callable[[], object]) -> None:
        if self.kinds[job.kind].files is not None:
            retrying(lambda: self.receiver.receive(job), check, self.outages.note)

    def start(self, app: Flask, cluster: Cluster) -> None:
        """Start both threads; they end with the process."""
        cluster.bus.on("files", self.receiver.hint)

        def is_open() -> bool:
            return not cluster.closed

        for work in (
            lambda: self.publisher.run(app, is_open),
            lambda: self.receive_forever(app, lambda: cluster.leads, is_open),
        ):
            threading.Thread(target=work, name="files", daemon=True).start()

    def receive_forever(self, app: Flask, leads: Callable[[], bool], is_open: Callable[[], bool]) -> None:
        """Receive and sweep while this process leads. The body of a thread."""
        with ThreadPoolExecutor(THREADS) as pool:
            while is_open():
                time.sleep(ROUND_S)
                if not leads():
                    continue
                try:
                    self.round(app, pool)
                except StoreAway as error:
                    self.outages.note(error, RETRY_S)
                    time.sleep(RETRY_S)
                except DATABASE_UNAVAILABLE as error:
                    logger.warning("files of workers: database: %s", getattr(error, "orig", error))
                except Exception:
                    logger.exception("receiving files of workers has failed")
                    time.sleep(RETRY_S)

    def round(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        self.receiver.receive_due(app, pool)
        if time.monotonic() - self._swept_at > SWEEP_S:
            with app.app_context():
                self.sweeper.sweep()
            self._swept_at = time.monotonic()


def log_outage(error: StoreAway, _pause: float) -> None:
    logger.error(
        "STORAGE_URL: the store does not answer; jobs wait, and nothing is lost. %s. "
        "`python -m scripts.storage check` says more.",
        error,
    )
