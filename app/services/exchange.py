"""Wires the files of workers without a shared volume: publishing and receiving beside the web process, fetching and
delivering in a worker.
"""

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import select

from app.config import Settings, settings
from app.core.files import atomic_write_text
from app.core.paths import WORKERS
from app.extensions import db
from app.jobs.collecting import Collector
from app.jobs.model import Job, JobStatus
from app.jobs.worker_files import WorkerExchange, bucket_of
from app.models import DatasetRevision, Installation
from app.object_store.bucket import Bucket, open_bucket
from app.object_store.cache import HostCache
from app.services.installation import mark
from app.services.storage import StorageService
from app.services.trainer.transitions import KIND as TRAINING

if TYPE_CHECKING:
    from app.services import Services
    from app.services.backup import BackupService

OWNER = "worker.json"  # marks the data folder of a worker with its installation


def configure_exchange(app: Flask, services: "Services", worker: bool) -> None:
    """Configure the exchange of files; does nothing with a shared volume."""
    store = open_bucket(settings(app))
    if store is None:
        return
    jobs, bucket = services.jobs, bucket_of(store, lambda: identity(app))
    if worker:
        exchange = WorkerExchange(
            app,
            bucket,
            services.storage.data_root,
            host_cache(settings(app)),
            lambda: remove_orphaned_folders(services.storage.data_root),
            lambda job_id: jobs.cluster.bus.publish("files", job_id),
        )
        jobs.scheduler.exchange, jobs.retains_files = exchange, False
        services.storage.delivery = exchange.deliver
        return
    ended = partial(follow_up, services.backups)
    collector = Collector(bucket, services.storage.data_root, jobs.kinds, content_hashes, jobs.scheduler.wake, ended)
    jobs.scheduler.exchange = jobs.scheduler.collector = collector


def worker_folder(base: Path, name: str) -> Path:
    """The data folder of one worker on this host, which runs one job at a time. Datasets and downloaded weights are
    shared between the workers.

    Args:
        base: DATA_ROOT of this host. name: of the worker.
    """
    folder = base / WORKERS / name
    folder.mkdir(parents=True, exist_ok=True)
    for shared in ("datasets", "weights"):
        (base / shared).mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (folder / shared).symlink_to(base / shared)
    return folder


def host_folder(config: Settings) -> Path:
    """DATA_ROOT of the host, given that of one of its workers."""
    return config.DATA_ROOT.parent.parent


def host_cache(config: Settings) -> HostCache:
    base = host_folder(config)
    correct_path = StorageService(base).revisions.correct_path
    return HostCache(base / "cache", base, config.STORAGE_CACHE_SIZE, config.DISK_RESERVE, correct_path)


def identity(app: Flask) -> str:
    """The installation's id, which web processes and workers read from the database."""
    with app.app_context():
        uuid = db.session.scalars(select(Installation.uuid)).one()
        db.session.remove()
    return uuid


def content_hashes() -> set[str]:
    return {item for item in db.session.scalars(select(DatasetRevision.hash)) if item}


def follow_up(backups: "BackupService", job: Job) -> None:
    """Called when all files of an ended job have been received."""
    if job.kind == TRAINING and job.subject_id is not None:
        backups.start(job.subject_id)


def remove_orphaned_folders(data: Path) -> None:
    """Remove folders on a worker's host that no running job uses: their process was killed before it removed them.
    Those of failed jobs stay until their rows are removed, as on the server.

    Args:
        data: the worker's own data folder.
    """
    tokens = [folder.name for folder in (data / "jobs").glob("*")]
    failed = select(Job.token).where(Job.token.in_(tokens), Job.status == JobStatus.FAILED)
    used: dict[str, set[str]] = {"models": set(), "predictions": set(), "jobs": set(db.session.scalars(failed))}
    columns = select(Job.token, Job.subject_type, Job.subject_id, Job.params)
    for row in db.session.execute(columns.where(Job.status == JobStatus.RUNNING)):
        used["jobs"].add(row.token)
        if row.subject_type == "training":
            used["models"].add(str(row.subject_id))
        if "prediction_id" in row.params:
            used["predictions"].add(str(row.params["prediction_id"]))
    db.session.remove()
    from app.services.storage.unpack import remove_tree

    for name, names in used.items():
        for folder in (data / name).glob("*"):
            if folder.name not in names:
                remove_tree(folder)


def refusal(app: Flask) -> str | None:
    """Why a worker cannot use this data folder: it belongs to web processes or to another installation. An unmarked
    folder is claimed.
    """
    folder = host_folder(settings(app))
    if mark.read(folder) is not None:
        return f"DATA_ROOT={folder} is the platform's own folder. With STORAGE_URL a worker needs another one."
    installation = identity(app)
    try:
        owner = json.loads((folder / OWNER).read_bytes())["installation"]
    except FileNotFoundError:
        atomic_write_text(folder / OWNER, json.dumps({"installation": installation}))
        return None
    except (ValueError, KeyError, TypeError):
        owner = None
    if owner != installation:
        return f"DATA_ROOT={folder} has the files of another installation. Give the worker another folder, or empty it."
    return None


def check(bucket: Bucket) -> None:
    """Store, read, list and remove a small object.

    Raises:
        StoreAway: one of them failed; the message says why.
    """
    stored = bucket.put_bytes("check", b"yolo")
    bucket.read(stored.key)
    bucket.keys("")
    bucket.remove([stored.key])
