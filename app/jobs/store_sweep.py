"""Removes objects that no job and no version of a dataset refers to any more."""

import logging
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.extensions import db
from app.jobs.model import Job, JobStatus
from app.jobs.publishing import Publisher
from app.jobs.receiving import Receiver
from app.object_store.bucket import Bucket
from app.object_store.errors import Corrupted, NotStored
from app.object_store.manifests import unseal
from app.object_store.packs import Version, referenced, version_key

logger = logging.getLogger("yolo.storage")

UNUSED_AGE = timedelta(hours=1)  # newer objects may be about to be referred to
UNUSED_S = 3600.0  # between two sweeps
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED)


class StoreSweeper:
    """
    Args:
        content_hashes: of all existing versions of datasets.
    """

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        content_hashes: Callable[[], Collection[str]],
        receiver: Receiver,
        publisher: Publisher,
    ) -> None:
        self.bucket, self.content_hashes = bucket, content_hashes
        self.receiver, self.publisher = receiver, publisher
        self._unused_checked_at = 0.0

    def sweep(self) -> None:
        """Remove the objects of ended jobs, once their files are here; then unused objects.

        Raises:
            StoreAway: some objects may remain.
        """
        bucket = self.bucket()
        tokens = {key.split("/")[1] for key in bucket.keys("jobs/")}
        for token in tokens:
            row = db.session.scalar(select(Job).where(Job.token == token))
            if row is not None and row.status in UNFINISHED:
                continue
            if row is not None and self.receiver.is_receivable(row):
                self.receiver.receive(row)
            bucket.remove(bucket.keys(f"jobs/{token}/"))
        self.publisher.forget_started()
        if time.monotonic() - self._unused_checked_at > UNUSED_S or not self._unused_checked_at:
            with self.publisher.lock:
                self.remove_unused()
            self._unused_checked_at = time.monotonic()

    def remove_unused(self) -> None:
        """Remove the lists of deleted versions, packs without a list, and blobs that no job reads.

        Raises:
            StoreAway: some objects may remain.
        """
        bucket, before = self.bucket(), datetime.now(UTC) - UNUSED_AGE
        hashes = {version_key(item) for item in self.content_hashes()}
        db.session.remove()
        lists = bucket.keys("datasets/")
        bucket.remove([key for key, stored_at in lists.items() if key not in hashes and stored_at < before])
        used: set[str] = set()
        for key in lists.keys() & hashes:
            try:
                used |= referenced(Version.of(bucket.read(key)))
            except Corrupted:
                bucket.remove([key])  # it is published again
            except NotStored:
                continue
        for key in bucket.keys("jobs/"):
            if key.endswith("/inputs"):
                try:
                    stored = unseal(bucket.read(key))["files"]
                except (NotStored, Corrupted):
                    continue
                used |= {about["key"] for about in stored.values()}
        for prefix in ("packs/", "blobs/"):
            objects = bucket.keys(prefix)
            unused = [key for key, stored_at in objects.items() if key not in used and stored_at < before]
            bucket.remove(unused)
            if unused:
                logger.info("store: removed %d unused objects below %s", len(unused), prefix)
