"""`python -m scripts.worker --gpu 0` or `--cpu`: runs jobs of a platform with DISPATCH=rq on a device of this host, one
at a time. It has the settings of the web processes: the same PostgreSQL, Redis and DATA_ROOT.

SIGTERM: no other job is begun, and the worker ends with the one that runs (ON_SHUTDOWN=stop: that one pauses, and goes
on elsewhere). A second one: it pauses in any case.
"""

import argparse
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from redis import RedisError
from rq.exceptions import StopRequested
from sqlalchemy.exc import NoResultFound, OperationalError

from app import create_app
from app.config import load_settings, settings
from app.core.file_lock import FileLock
from app.core.nvml import card
from app.database import revisions
from app.extensions import db
from app.jobs.devices import CPU
from app.jobs.rq_worker import DeviceWorker
from app.jobs.workers import WorkerAbout, WorkerGpu, WorkerName, session_name
from app.jobs.workhorse import WorkHorse
from app.services.system.gpus import gpus, uuids

# One for this host, or container: a device has one worker, whichever user of a group starts it.
LOCKS = Path(tempfile.gettempdir()) / "yolo-workers"
PACKAGES = ("torch", "ultralytics", "rq")
AGAIN_S = 2.0

logger = logging.getLogger("yolo.jobs")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts.worker", description=__doc__)
    device = parser.add_mutually_exclusive_group(required=True)
    device.add_argument("--gpu", metavar="0", help="the GPU's number or UUID; 0,1: jobs that need both GPUs, too")
    device.add_argument("--cpu", action="store_true", help="no GPU")
    devices = tuple(part.strip() for part in (parser.parse_args().gpu or CPU).split(","))
    if "" in devices or len({*cards(devices)}) < len(devices):
        parser.error("--gpu needs the numbers of different GPUs, such as 0 or 0,1")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1" if devices == (CPU,) else ",".join(devices)
    run(devices)


def run(devices: tuple[str, ...]) -> None:
    """Run jobs until SIGTERM."""
    from dotenv import dotenv_values

    from app.config import ROOT

    os.environ["SOCKETIO_ASYNC_MODE"] = "threading"  # it accepts no connections
    environ = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None} | os.environ
    config = load_settings(environ)
    if config.DISPATCH != "rq":
        sys.exit("Set DISPATCH=rq, DATABASE_URL=postgresql://... and REDIS_URL, as the web processes have them.")
    create_locks_folder(LOCKS)
    name = unique_name(config.WORKER_NAME or socket.gethostname(), devices)
    os.environ["PGAPPNAME"] = session_name(name)
    overrides = {"LOG_DIR": str(config.LOG_DIR / name)}
    if config.STORAGE_URL:
        from app.services.exchange import worker_folder

        overrides["DATA_ROOT"] = str(worker_folder(config.DATA_ROOT, name))
    app = create_app("worker", overrides)
    if config.STORAGE_URL:
        wait_for_store(app)
    else:
        wait_for_platform(app)
    identity = WorkerName(name, socket.gethostname(), os.getpid(), devices)
    locks = [FileLock(LOCKS / f"gpu-{name}.lock") for name in cards(devices) if name != CPU]
    worker = create_worker(app, identity)
    try:
        worker.prepare(locks)
        worker.horse.hold([lock.handle for lock in locks if lock.handle is not None])
        worker.work()
    except StopRequested:
        worker.row.remove()


def cards(devices: tuple[str, ...]) -> tuple[str, ...]:
    """One name for each GPU, so that two workers of one card cannot both claim it."""
    gpu_uuids = uuids()
    return tuple(card(device, gpu_uuids) for device in devices)


def create_locks_folder(folder: Path) -> None:
    """Create it for this user alone: in another user's folder, locks could be links to our files, or be
    locked forever.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        sys.exit(f"{folder} is not a folder of this user, or is a link. Remove it, or set another TMPDIR.")


def location_id(folder: Path) -> str:
    """An id of the locks' folder: containers of one host may share its name, but not the folder."""
    lock, file = FileLock(folder / "place.lock"), folder / "place"
    lock.acquire(wait=True)
    try:
        if not file.exists():
            file.write_text(uuid.uuid4().hex, encoding="ascii")
        return file.read_text(encoding="ascii")
    finally:
        lock.release()


def unique_name(start: str, devices: tuple[str, ...]) -> str:
    """A name for this worker that is unique on this host: it is locked until this process ends."""
    base = f"{start[:50]}-{'cpu' if devices == (CPU,) else 'gpu' + '-'.join(devices)}"[:70]
    for number in count(1):
        name = base if number == 1 else f"{base}-{number}"
        if FileLock(LOCKS / f"{name}.name").acquire():
            return name
        if devices != (CPU,):
            sys.exit(f"There is a worker {name} on this host already.")
    raise AssertionError


def wait_for_platform(app: Any) -> None:
    """Wait until a web process has created the tables of this version, and no reason prevents writing."""
    while True:
        try:
            current, newest = revisions(app)
            with app.app_context():
                verdict = app.extensions["installation"].examine() if current == newest else "its tables"
                db.session.remove()
                db.engine.dispose()
        except OperationalError as error:
            verdict = error.orig
        if verdict is None:
            return
        logger.warning("Waiting for the platform: %s", getattr(verdict, "code", verdict))
        time.sleep(AGAIN_S)


def wait_for_store(app: Any) -> None:
    """Wait until the tables of this version exist and the store is accessible; this folder is this worker's alone, and
    has nothing of the platform's to examine.
    """
    from app.services.exchange import refusal

    while True:
        try:
            current, newest = revisions(app)
            verdict = None
            if current != newest:
                verdict = "its tables"
            elif (reason := refusal(app)) is not None:
                sys.exit(reason)
            with app.app_context():
                db.engine.dispose()
        except (OperationalError, NoResultFound) as error:
            verdict = getattr(error, "orig", error)
        # In a process of its own: it says what to do, and what it loads is not in each of this one's forks.
        if verdict is None and subprocess.run([sys.executable, "-m", "scripts.storage", "check"]).returncode:
            verdict = "the store"
        if verdict is None:
            return
        logger.warning("Waiting for the platform: %s", verdict)
        time.sleep(AGAIN_S)


def create_worker(app: Any, identity: WorkerName) -> DeviceWorker:
    """Create it once Redis answers."""
    config, about = settings(app), describe(identity)
    horse = WorkHorse(app, app.extensions["services"].jobs, identity)
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    while True:
        try:
            return DeviceWorker(config.REDIS_URL, uri, identity, horse, about, config.ON_SHUTDOWN == "stop")
        except RedisError as error:
            logger.warning("Waiting for Redis: %s", error)
            time.sleep(AGAIN_S)


def describe(identity: WorkerName) -> WorkerAbout:
    """The worker's data for the System page; and the id of its locks' folder."""
    from app import __version__

    gpu_uuids, cards_here = uuids(), cards(identity.devices)
    mine = [gpu for gpu in gpus() if card(str(gpu["index"]), gpu_uuids) in cards_here]
    listed: list[WorkerGpu] = [{"name": gpu["name"], "memory": gpu["memory_total"]} for gpu in mine]
    versions = {"app": __version__, "python": sys.version.split()[0]} | {name: installed(name) for name in PACKAGES}
    memory = psutil.virtual_memory().total
    place = location_id(LOCKS)
    return {"cpu_count": os.cpu_count(), "memory": memory, "gpus": listed, "versions": versions, "place": place}


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
