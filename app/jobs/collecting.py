"""The web's side of the files of workers that share no volume: the process that leads publishes what jobs read before
they are delivered, has what their children make in the data folder as it appears, and removes what nobody needs.

The data folder of the web processes has everything, as on one machine; the store is the way, and a buffer.
"""

import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, select

from app.cluster import Cluster
from app.core.files import file_hash
from app.database import DATABASE_AWAY
from app.extensions import db
from app.jobs.files import AttemptFiles, SharedFiles
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.worker_files import prefix
from app.object_store.bucket import Bucket, StoredFile, retrying
from app.object_store.errors import Corrupted, NotStored, StoreAway
from app.object_store.manifests import is_below, seal, unseal
from app.object_store.packs import Version, publish, referenced, version_key

logger = logging.getLogger("yolo.storage")

LOOK_S = 3.0  # between two looks at what a worker has stored, unless it says that there is something
ROUND_S = 0.5
AGAIN_S = 5.0  # until a store that was away is tried again
SWEEP_S = 60.0
UNUSED = timedelta(hours=1)  # what was just stored will be referred to soon
UNUSED_S = 3600.0  # between two looks for what nothing refers to
AT_ONCE = 4
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED)

Ready = tuple[int, int]  # id and attempt of a job whose next attempt can start


@dataclass
class Mailbox:
    """What has been received of an attempt."""

    sequence: int = 0
    hashes: dict[str, str] = field(default_factory=dict)  # by path
    keys: set[str] = field(default_factory=set)
    last: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Collector:
    """
    Args:
        bucket: of this installation. data: the data folder.
        content_hashes: of all versions of datasets that there are.
        woken: called when a job can be delivered. received: called with a job that has ended, once its files are here.
    """

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        data: Path,
        kinds: Kinds,
        content_hashes: Callable[[], Collection[str]],
        woken: Callable[[], object],
        received: Callable[[Job], object],
    ) -> None:
        self._bucket, self.data, self.kinds, self.woken, self.received = bucket, data, kinds, woken, received
        self.content_hashes = content_hashes
        self.ready: set[Ready] = set()
        self.boxes: dict[str, Mailbox] = {}
        self._wanted: queue.Queue[Ready] = queue.Queue()
        self._queued: dict[Ready, float] = {}
        self._hints: set[int] = set()
        self._publishing = threading.Lock()  # nothing is swept meanwhile
        self._looked_at = self._swept_at = self._unused_at = 0.0
        self._logged_at = 0.0

    @property
    def bucket(self) -> Bucket:
        return self._bucket()

    # Of supervisors in this process: their children work in the data folder itself.

    def of_attempt(self, job: Job, kind: Any, row: Any) -> AttemptFiles:
        return SharedFiles()

    def receive_last(self, job: Job, check: Callable[[], object]) -> None:
        if self.kinds[job.kind].files is not None:
            retrying(lambda: self.receive(job), check, self.note_away)

    def start(self, app: Flask, cluster: Cluster) -> None:
        """Both threads; they end with the process."""
        cluster.bus.on("files", self.hint)

        def open_() -> bool:
            return not cluster.closed

        for work in (
            lambda: self.publish_forever(app, open_),
            lambda: self.receive_forever(app, lambda: cluster.leads, open_),
        ):
            threading.Thread(target=work, name="files", daemon=True).start()

    # Publishing.

    def is_ready(self, job_id: int, attempt: int) -> bool:
        """Whether a worker finds what a job's next attempt reads; what is missing is published in the background."""
        wanted = (job_id, attempt)
        if wanted in self.ready:
            return True
        if time.monotonic() >= self._queued.get(wanted, 0.0):
            self._queued[wanted] = float("inf")
            self._wanted.put(wanted)
        return False

    def publish_forever(self, app: Flask, open_: Callable[[], bool]) -> None:
        """A thread."""
        while open_():
            try:
                wanted = self._wanted.get(timeout=1.0)
            except queue.Empty:
                continue
            try:
                with app.app_context():
                    self.publish(*wanted)
                self.ready.add(wanted)
                self._queued.pop(wanted, None)
                self.woken()
            except StoreAway as error:
                self.note_away(error, AGAIN_S)
                self._queued[wanted] = time.monotonic() + AGAIN_S
            except Exception:
                logger.exception("job %s: publishing its files", wanted[0])
                self._queued[wanted] = time.monotonic() + AGAIN_S

    def publish(self, job_id: int, attempt: int) -> None:
        """Store what the attempt after this one reads.

        Raises:
            StoreAway: not all of it is stored. OSError: it cannot be read.
        """
        job = db.session.get(Job, job_id)
        if job is None or job.attempt != attempt or job.status != JobStatus.PENDING:
            return
        kind = self.kinds[job.kind]
        if kind.files is None:
            return
        if attempt:
            self.receive(job)  # the last of an attempt whose worker did not wait for us
        files, token = kind.files(job), job.token
        db.session.remove()
        list_sha256 = ""
        with self._publishing:
            dataset = files.dataset
            if dataset is not None and dataset.content_hash and (self.data / dataset.folder).is_dir():
                folder = self.data / dataset.folder
                list_sha256 = publish(self.bucket, folder, dataset.content_hash, dataset.relatives)
            stored = {name: vars(self.store(path)) for name, path in self.files_of(files.inputs)}
            document = {"list_sha256": list_sha256, "files": stored}
            self.bucket.put_bytes(f"{prefix(token, attempt + 1)}/inputs", seal(document))
            present = f"{prefix(token, attempt + 1)}/"
            self.bucket.remove([key for key in self.bucket.keys(f"jobs/{token}/") if not key.startswith(present)])

    def files_of(self, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
        for name in names:
            top = self.data / name
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                    yield path.relative_to(self.data).as_posix(), path

    def store(self, path: Path) -> StoredFile:
        """A file under its hash, once for all jobs that read it."""
        stat = path.stat()
        sha256 = known_hash(path, stat.st_mtime_ns, stat.st_size)
        key = f"blobs/{sha256}"
        if self.bucket.size(key) == stat.st_size:
            return StoredFile(key, sha256, stat.st_size)
        stored = self.bucket.put_file(key, path)
        if stored.sha256 != sha256:
            raise StoreAway(f"{path.name} was written to while it was read")
        return stored

    # Receiving.

    def hint(self, job_id: Any) -> None:
        """A worker has stored something."""
        self._hints.add(int(job_id))

    def receive_forever(self, app: Flask, leads: Callable[[], bool], open_: Callable[[], bool]) -> None:
        """A thread."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while open_():
                time.sleep(ROUND_S)
                if not leads():
                    continue
                try:
                    self.round(app, pool)
                except StoreAway as error:
                    self.note_away(error, AGAIN_S)
                    time.sleep(AGAIN_S)
                except DATABASE_AWAY as error:
                    logger.warning("files of workers: database: %s", getattr(error, "orig", error))
                except Exception:
                    logger.exception("receiving files of workers")
                    time.sleep(AGAIN_S)

    def round(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        hints, self._hints = self._hints, set()
        with app.app_context():
            rows = self.due(hints)
            db.session.remove()

        def work(row: Job) -> None:
            with app.app_context():
                self.receive(row)
                if JobStatus(row.status).ended:
                    self.forget(row)
                db.session.remove()

        list(pool.map(work, rows))
        if time.monotonic() - self._swept_at > SWEEP_S:
            with app.app_context():
                self.sweep()
            self._swept_at = time.monotonic()

    def due(self, hints: set[int]) -> list[Job]:
        """Those of which something is known to be new, and every LOOK_S all that run on workers."""
        wanted: ColumnElement[bool] = Job.id.in_(hints)
        if time.monotonic() - self._looked_at > LOOK_S:
            self._looked_at = time.monotonic()
            wanted |= (Job.status == JobStatus.RUNNING) & Job.runner.is_not(None)
        elif not hints:
            return []
        rows = db.session.scalars(select(Job).where(wanted)).all()
        found = [row for row in rows if self.kinds[row.kind].files is not None and self.is_newest(row)]
        for row in found:
            db.session.expunge(row)
        return found

    def is_newest(self, row: Job) -> bool:
        """Whether no later job is about the same: its files would be older than what is here."""
        if row.status == JobStatus.RUNNING or row.subject_id is None:
            return True
        same = (Job.kind == row.kind) & (Job.subject_type == row.subject_type) & (Job.subject_id == row.subject_id)
        own = self.kinds[row.kind].record is None  # each has outputs of its own
        return own or db.session.scalar(select(Job.id).where(same, Job.id > row.id).limit(1)) is None

    def box(self, row: Any) -> Mailbox:
        return self.boxes.setdefault(prefix(row.token, row.attempt), Mailbox())

    def receive(self, row: Job) -> None:
        """Have in the data folder what an attempt has stored so far.

        Raises:
            StoreAway: not all of it is here. OSError: the disk does not take it.
        """
        box, place = self.box(row), prefix(row.token, row.attempt)
        with box.lock:
            try:
                document = unseal(self.bucket.read(f"{place}/outputs"))
            except NotStored:
                return
            except Corrupted as error:
                logger.error("job %s: %s", row.id, error)
                return
            if document["sequence"] == box.sequence:
                return
            files = self.kinds[row.kind].files
            roots = files(row).outputs if files is not None else ()
            db.session.remove()
            damaged = self.write(row.id, box, document, roots)
            if document["last"] or damaged:
                answer = {"sequence": document["sequence"], "damaged": damaged}
                self.bucket.put_bytes(f"{place}/received", seal(answer))
            if not damaged:
                box.sequence, box.last = document["sequence"], document["last"]
                keys = {about["key"] for about in document["files"].values() if is_below(about["key"], ["jobs"])}
                self.bucket.remove(box.keys - keys)
                box.keys = keys

    def write(self, job_id: int, box: Mailbox, document: Any, roots: Sequence[str]) -> list[str]:
        """The paths of those that are not what was stored."""
        damaged = []
        for name, about in document["files"].items():
            file, path = StoredFile(**about), self.data / name
            if not is_below(name, roots) or not is_below(file.key, ["jobs", "blobs"]):
                logger.error("job %s: %s is none of its files", job_id, name)
                continue
            if box.hashes.get(name) == file.sha256 and path.is_file():
                continue
            if path.is_file() and path.stat().st_size == file.size and file_hash(path) == file.sha256:
                box.hashes[name] = file.sha256
                continue
            draft = self.data / "tmp" / f"received-{uuid.uuid4().hex}"
            try:
                self.bucket.fetch(file, draft)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft, path)
                box.hashes[name] = file.sha256
            except (Corrupted, NotStored) as error:
                logger.error("job %s: %s: %s", job_id, name, error)
                damaged.append(name)
            finally:
                draft.unlink(missing_ok=True)
        for name in document["removed"]:
            if is_below(name, roots):
                (self.data / name).unlink(missing_ok=True)
                box.hashes.pop(name, None)
        return damaged

    def forget(self, row: Job) -> None:
        """A job has ended, and all of its files are here."""
        box = self.box(row)
        if not box.last:
            return
        self.bucket.remove(self.bucket.keys(f"jobs/{row.token}/"))
        self.boxes.pop(prefix(row.token, row.attempt), None)
        self.received(row)

    # What nobody needs any more.

    def sweep(self) -> None:
        """Objects of jobs that have ended, once their files are here; then what nothing refers to."""
        tokens = {key.split("/")[1] for key in self.bucket.keys("jobs/")}
        for token in tokens:
            row = db.session.scalar(select(Job).where(Job.token == token))
            if row is not None and row.status in UNFINISHED:
                continue
            if row is not None and self.kinds[row.kind].files is not None and self.is_newest(row):
                self.receive(row)
            self.bucket.remove(self.bucket.keys(f"jobs/{token}/"))
        ended = self.ready_of_others()
        self.ready -= ended
        if time.monotonic() - self._unused_at > UNUSED_S or not self._unused_at:
            with self._publishing:
                self.remove_unused()
            self._unused_at = time.monotonic()

    def ready_of_others(self) -> set[Ready]:
        """Those that are not pending any more."""
        ids = [job_id for job_id, _attempt in self.ready]
        rows = db.session.execute(select(Job.id, Job.attempt).where(Job.id.in_(ids), Job.status == JobStatus.PENDING))
        return self.ready - {(row.id, row.attempt) for row in rows}

    def remove_unused(self) -> None:
        """Lists of versions that were deleted, packs that no list names, and blobs that no job reads."""
        before = datetime.now(UTC) - UNUSED
        hashes = {version_key(item) for item in self.content_hashes()}
        db.session.remove()
        lists = self.bucket.keys("datasets/")
        self.bucket.remove([key for key, time_ in lists.items() if key not in hashes and time_ < before])
        used: set[str] = set()
        for key in lists.keys() & hashes:
            try:
                used |= referenced(Version.of(self.bucket.read(key)))
            except Corrupted:
                self.bucket.remove([key])  # it is published anew
            except NotStored:
                continue
        for key in self.bucket.keys("jobs/"):
            if key.endswith("/inputs"):
                try:
                    stored = unseal(self.bucket.read(key))["files"]
                except (NotStored, Corrupted):
                    continue
                used |= {about["key"] for about in stored.values()}
        for kind in ("packs/", "blobs/"):
            found = self.bucket.keys(kind)
            unused = [key for key, time_ in found.items() if key not in used and time_ < before]
            self.bucket.remove(unused)
            if unused:
                logger.info("store: %d objects of %s are removed: nothing refers to them", len(unused), kind)

    def note_away(self, error: StoreAway, wait: float) -> None:
        if time.monotonic() - self._logged_at > 60.0:
            self._logged_at = time.monotonic()
            logger.error(
                "STORAGE_URL: the store does not answer; jobs wait, and nothing is lost. %s. "
                "`python -m scripts.storage check` says more.",
                error,
            )


@lru_cache(maxsize=4096)
def known_hash(path: Path, _changed_ns: int, _size: int) -> str:
    return file_hash(path)
