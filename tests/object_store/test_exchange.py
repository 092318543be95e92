"""Files of one job from the data folder of a web process to a worker's and back, through a real S3 server."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.config import SettingError, load_settings
from app.core.file_lock import FileLock
from app.database import writing
from app.extensions import db
from app.jobs.attempt import AttemptRow, Superseded
from app.jobs.collecting import Collector
from app.jobs.files import DatasetFiles, JobFiles, SharedFiles
from app.jobs.kinds import CannotStart, JobKind, Kinds
from app.jobs.model import CANCEL, Job, JobStatus
from app.jobs.worker_files import WorkerExchange, WorkerFiles
from app.object_store.bucket import Bucket
from app.object_store.cache import HostCache
from app.object_store.errors import StoreAway
from tests.object_store.s3_server import S3Server
from tests.object_store.test_packs import content, version_folder

HASH = "c" * 64


def nothing(*_arguments: Any) -> None:
    return None


class Sides:
    """A job, the leading process, and workers, each with a folder of its own."""

    def __init__(self, app: APIFlask, bucket: Bucket, folder: Path) -> None:
        self.app, self.bucket, self.folder = app, bucket, folder
        self.kinds = Kinds(shared=False)
        self.kinds.register(JobKind("work", "train", nothing, files=self.files))
        self.kinds.register(JobKind("other", "train", nothing))
        with writing() as session:
            job = Job(kind="work", subject_type="training", subject_id=1)
            session.add(job)
            session.flush()
            self.job_id = job.id
        self.web = folder / "web"
        (self.web / "tmp").mkdir(parents=True)
        version_folder(self.web / "datasets/5/revisions/2")
        self.received: list[int] = []
        self.collector = self.leader()

    def leader(self) -> Collector:
        def get() -> Bucket:
            return self.bucket

        return Collector(get, self.web, self.kinds, lambda: {HASH}, nothing, lambda job: self.received.append(job.id))

    def files(self, job: Job) -> JobFiles:
        dataset = DatasetFiles(5, 2, "datasets/5/revisions/2", HASH)
        outputs = ["models/1/run", "models/1/checkpoints", f"models/1/attempts/{job.attempt}"]
        return JobFiles(dataset, outputs[:2], outputs)

    @property
    def job(self) -> Job:
        db.session.rollback()
        return db.session.get_one(Job, self.job_id, populate_existing=True)

    def change(self, **values: Any) -> Job:
        with writing() as session:
            job = session.get_one(Job, self.job_id)
            for name, value in values.items():
                setattr(job, name, value)
        return self.job

    def start(self, host: str) -> WorkerFiles:
        """Start the next attempt, on a host."""
        self.change(status=JobStatus.PENDING)
        self.collector.publisher.publish(self.job_id, self.job.attempt)
        job = self.change(status=JobStatus.RUNNING, attempt=self.job.attempt + 1, runner={"name": host})
        return self.on(host, job)

    def on(self, host: str, job: Job) -> WorkerFiles:
        data = self.folder / host
        (data / "tmp").mkdir(parents=True, exist_ok=True)
        cache = HostCache(data / "cache", data, 0, 0)
        exchange = WorkerExchange(self.app, lambda: self.bucket, data, cache, nothing, nothing)
        files = exchange.of_attempt(job, self.kinds["work"], AttemptRow(job.id, job.attempt))
        assert isinstance(files, WorkerFiles)
        return files

    def write(self, host: str, **files: str | bytes) -> None:
        """Write files of the training: `run__results` is run/results."""
        for name, data in files.items():
            path = self.folder / host / "models" / "1" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def tree(self, host: str) -> dict[str, bytes]:
        root = self.folder / host / "models" / "1"
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def deliver(self, files: WorkerFiles) -> None:
        """Deliver them while the web process receives."""
        files._started = True
        ended = threading.Event()

        def receive() -> None:
            with self.app.app_context():
                while not ended.wait(0.05):
                    with suppress(StoreAway):
                        self.collector.receiver.receive(self.job)

        thread = threading.Thread(target=receive)
        thread.start()
        try:
            files.deliver()
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def sides(idle_app: APIFlask, bucket: Bucket, tmp_path: Path) -> Iterator[Sides]:
    with idle_app.app_context():
        yield Sides(idle_app, bucket, tmp_path / "sides")


def test_a_job_goes_on_on_another_host_from_what_the_first_has_stored(sides: Sides) -> None:
    first = sides.start("one")
    assert len(first.fetch()) == 1, "the lock of its dataset"
    assert content(sides.folder / "one/datasets/5/revisions/2") == content(sides.web / "datasets/5/revisions/2")
    first.begin()
    sides.write(
        "one", run__results="1", checkpoints__1="first", attempts__1__log="a", run__heartbeat="", run__a_tmp="x"
    )
    first.outputs.push()
    sides.collector.receiver.receive(sides.job)
    there = {"run/results": b"1", "checkpoints/1": b"first", "attempts/1/log": b"a", "run/a_tmp": b"x"}
    assert sides.tree("web") == there
    sides.write("one", run__results="1, 2", checkpoints__2="second")
    (sides.folder / "one/models/1/checkpoints/1").unlink()
    first.outputs.push()
    sides.collector.receiver.receive(sides.job)  # and then the host is lost
    first.stop()
    before = sides.tree("web")
    del there["checkpoints/1"]
    assert before == there | {"run/results": b"1, 2", "checkpoints/2": b"second"}

    sides.write("two", run__results="of an earlier attempt", checkpoints__9="so is this")
    second = sides.start("two")
    second.fetch()
    assert sides.tree("two") == {name: data for name, data in before.items() if not name.startswith("attempts")}
    objects = set(sides.bucket.keys("jobs/"))
    sides.write("two", checkpoints__3="third")
    second.outputs.push()
    assert len(set(sides.bucket.keys("jobs/")) - objects) == 2, "what was fetched is not stored again"
    (sides.folder / "two/models/1/checkpoints/2").unlink()
    second.outputs.push()
    sides.collector.receiver.receive(sides.job)
    assert {name for name in sides.tree("web") if name.startswith("checkpoints")} == {"checkpoints/3"}
    sides.write("one", run__results="of a zombie")
    first.outputs.push()
    sides.collector.receiver.receive(sides.job)
    assert sides.tree("web")["run/results"] == b"1, 2", "what an earlier attempt stores is not looked at"


def test_every_file_is_complete_when_the_end_is_announced(sides: Sides) -> None:
    files = sides.start("one")
    files.fetch()
    sides.write("one", run__best="weights", attempts__1__log="done")
    files.outputs.push()
    key = next(file.key for name, (_signature, file) in files.outputs.stored.items() if name.endswith("best"))
    sides.bucket.put_bytes(key, b"WEIGHTS")
    sides.deliver(files)
    assert sides.tree("web") == {"run/best": b"weights", "attempts/1/log": b"done"}, "a damaged object is stored again"
    sides.change(status=JobStatus.COMPLETED)
    sides.write("one", run__last_words="x")
    files.close()
    assert sides.tree("one") == {}, "nothing stays on the host"
    sides.collector.receiver.receive(sides.job)
    sides.collector.receiver.close(sides.job)
    assert sides.tree("web")["run/last_words"] == b"x"
    assert sides.bucket.keys("jobs/") == {}
    assert sides.received == [sides.job_id]


def test_an_unreachable_store_ends_nothing(sides: Sides, server: S3Server) -> None:
    files = sides.start("one")
    files.fetch()
    files.begin()
    sides.write("one", run__best="weights")
    server.signal(signal.SIGSTOP)
    timer = threading.Timer(3, server.signal, (signal.SIGCONT,))
    timer.start()
    began = time.monotonic()
    sides.deliver(files)
    files.stop()
    timer.join()
    assert time.monotonic() - began > 2.5
    assert sides.tree("web") == {"run/best": b"weights"}


def test_a_store_that_comes_back_empty_gets_everything_again(sides: Sides, server: S3Server) -> None:
    files = sides.start("one")
    files.fetch()
    sides.write("one", run__best="weights", run__results="1")
    files.outputs.push()
    server.stop()
    threading.Timer(1, server.start).start()
    sides.deliver(files)
    assert sides.tree("web") == {"run/best": b"weights", "run/results": b"1"}
    again = sides.start("two")
    again.fetch()
    assert sides.tree("two") == sides.tree("web"), "and jobs find what they read"
    assert content(sides.folder / "two/datasets/5/revisions/2") == content(sides.web / "datasets/5/revisions/2")


def test_a_work_horse_that_follows_stores_nothing_twice(sides: Sides) -> None:
    files = sides.start("one")
    files.fetch()
    sides.write("one", run__best="weights", checkpoints__1="first")
    files.outputs.push()
    objects = sides.bucket.keys("jobs/").keys()
    (sides.folder / "one/models/1/checkpoints/1").unlink()
    later = sides.on("one", sides.job)
    later.outputs.recall()
    sides.write("one", run__results="1")
    later.outputs.push()
    assert len(sides.bucket.keys("jobs/").keys() - objects) == 1
    sides.leader().receiver.receive(sides.job)
    assert sides.tree("web") == {"run/best": b"weights", "run/results": b"1"}


def test_files_of_another_attempt_are_not_written(sides: Sides) -> None:
    files = sides.start("one")
    files.fetch()
    sides.write("one", run__best="weights")
    files.outputs.roots = ["models"]
    sides.write("one", attempts__7__spec="x")
    (sides.folder / "one/models/2").mkdir()
    (sides.folder / "one/models/2/best").write_bytes(b"x")
    files.outputs.push()
    sides.collector.receiver.receive(sides.job)
    assert sides.tree("web") == {"run/best": b"weights"}
    assert not (sides.web / "models/2").exists()


def test_a_job_that_is_stopped_or_another_run_has_fetches_nothing(sides: Sides) -> None:
    files = sides.start("one")
    sides.change(stop_mode=CANCEL)
    with pytest.raises(CannotStart):
        files.fetch()
    sides.change(stop_mode=None, attempt=7)
    files._checked_at = 0.0
    with pytest.raises(Superseded):
        files.check_mine()


def test_a_dataset_without_versions_is_refused(sides: Sides) -> None:
    (sides.web / "datasets/5/revisions/2").rename(sides.web / "elsewhere")
    files = sides.start("one")
    with pytest.raises(CannotStart, match="no version"):
        files.fetch()


def test_what_nothing_refers_to_is_removed(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    sides.write("web", run__best="weights")
    sides.start("one")
    sides.bucket.put_bytes("packs/old", b"")
    sides.bucket.put_bytes("blobs/old", b"")
    sides.bucket.put_bytes("datasets/old", b"")
    sides.bucket.put_bytes("jobs/nobody/1/outputs", b"")
    remaining = set(sides.bucket.keys("")) - {"packs/old", "blobs/old", "datasets/old", "jobs/nobody/1/outputs"}
    sides.collector.sweeper.sweep()
    assert "packs/old" in sides.bucket.keys("packs/"), "it may be about to be referred to"
    monkeypatch.setattr("app.jobs.store_sweep.UNUSED_AGE", -timedelta(minutes=1))
    sides.collector.sweeper.remove_unused()
    assert set(sides.bucket.keys("")) == remaining


def test_kinds_without_declared_files_run_beside_the_web_process(sides: Sides) -> None:
    assert [name for name in sides.kinds.names() if sides.kinds[name].for_workers] == ["work"]
    cache = HostCache(sides.web, sides.web, 0, 0)
    exchange = WorkerExchange(sides.app, lambda: sides.bucket, sides.web, cache, nothing, nothing)
    assert isinstance(exchange.of_attempt(sides.job, sides.kinds["other"], AttemptRow(1, 1)), SharedFiles)


def test_locks_are_shared_by_who_reads(tmp_path: Path) -> None:
    first, second, alone = (FileLock(tmp_path / "a.lock") for _ in range(3))
    assert first.acquire(shared=True)
    assert second.acquire(shared=True)
    assert not alone.acquire()
    first.release()
    second.release()
    assert alone.acquire()
    assert not first.acquire(shared=True)
    alone.release()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DISPATCH": "local"}, "needs DISPATCH=rq"),
        ({"SOCKETIO_ASYNC_MODE": "eventlet"}, "threading"),
        ({"STORAGE_SECRET_KEY": ""}, "belong together"),
        ({"STORAGE_URL": "s3://me:hidden@bucket/a"}, "expected s3://bucket/prefix"),
        ({"STORAGE_ENDPOINT": "https://me:hidden@host"}, "without keys"),
    ],
)
def test_settings_that_do_not_go_together(changes: dict[str, str], message: str) -> None:
    complete = {"DISPATCH": "rq", "DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost/0"}
    complete |= {"SOCKETIO_ASYNC_MODE": "threading", "STORAGE_URL": "s3://bucket/a"}
    complete |= {"STORAGE_ACCESS_KEY": "a", "STORAGE_SECRET_KEY": "b"}
    assert load_settings(complete).STORAGE_URL == "s3://bucket/a"
    with pytest.raises(SettingError, match=message) as caught:
        load_settings(complete | changes)
    assert "hidden" not in str(caught.value)
