"""The job that reads a dataset's files for the response to a request, and creates its revision after it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy.exc import OperationalError

from app.core.children import TAKES_LONG
from app.core.imports import ARCHIVE
from app.database import writing
from app.errors import AppError, Conflict, WritesRefused
from app.events import Failed
from app.extensions import db
from app.jobs import Job, JobStatus
from app.jobs.process import Child, find_children
from app.jobs.progress import NO_PROGRESS
from app.jobs.pulse import Pulse
from app.jobs.recovery import conclude
from app.models import Dataset
from app.models.base import now
from app.services.datasets import session as session_module
from app.services.datasets.imports import AT_MOST, AT_ONCE, IMPORT, LONG_S, DatasetImports
from app.services.datasets.options import recipe
from app.services.datasets.session import ImportSession
from app.services.datasets.specs import READ
from app.services.storage.unpack import RELEASE, release, remove_file
from scripts.local_server import ROOT
from tests.data import image_bytes, yolo_zip, zip_bytes

ORIGIN = {"kind": "upload", "base": "source"}
LIMIT_S = 60.0


@pytest.fixture
def imports(app: APIFlask) -> Any:
    with app.app_context():
        yield app.extensions["services"].datasets.imports


def until(check: Callable[[], Any]) -> Any:
    """The first true value."""
    limit = time.monotonic() + LIMIT_S
    while not (value := check()):
        assert time.monotonic() < limit
        db.session.rollback()
        time.sleep(0.02)
    return value


def session_of(imports: DatasetImports, data: bytes) -> tuple[ImportSession, Path]:
    """For an upload in a staging folder."""
    folder = imports.storage.new_tmp()
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(data)
    params = {"staging": str(folder), "unpack": True, "number": 1, "options": recipe({}, 1000), "origin": ORIGIN}
    return ImportSession(imports, params), folder


def ready_child(imports: DatasetImports) -> tuple[int, Path]:
    """(pid, directory) of the one child, once /proc has its command: a process that has just been started has none."""
    ((pid, _started, directory),) = until(lambda: list(find_children(imports.jobs.root)))
    return pid, directory


def slow_zip(count: int = 120) -> bytes:
    """Images that take long enough for a child to be observed while it works."""
    picture = image_bytes((2000, 1500))
    files: dict[str, bytes | str] = {}
    for number in range(count):
        split = "val" if number % 5 == 0 else "train"
        files |= {f"images/{split}/{number}.jpg": picture, f"labels/{split}/{number}.txt": "0 0.5 0.5 0.5 0.5\n"}
    return zip_bytes(files)


def test_images_are_read_before_the_dataset_has_its_folder(imports: DatasetImports) -> None:
    session, folder = session_of(imports, yolo_zip(4, 2))
    with session:
        planned = session.verdict()
        assert (planned.images, planned.format, session.kind) == (6, "yolo", IMPORT)
        assert planned.size_bytes > 0
        until(lambda: list(folder.glob("thumbnails/*/*")))
        assert not (folder / "revisions").exists(), "it waits for its place"
    assert not list(find_children(imports.jobs.root)), "nothing is left of what was not accepted"
    assert imports.jobs.get(1).status == JobStatus.CANCELLED


def test_with_all_slots_busy_only_the_answer_is_computed(imports: DatasetImports) -> None:
    busy = [session_of(imports, yolo_zip(4, 2))[0] for _ in range(AT_ONCE)]
    for session in busy:
        session.verdict()
    third, folder = session_of(imports, yolo_zip(5, 2))
    with third:
        planned = third.verdict()
        assert (planned.images, third.kind) == (7, READ)
        assert not list(folder.glob("thumbnails/*/*")), "the images are read when its turn comes"
    for session in busy:
        session.end()


def test_a_child_is_ready_before_its_job(imports: DatasetImports) -> None:
    """One at most; it is the next job's first attempt. One that has ended is not used."""
    imports.prepare()
    imports.prepare()
    pid, directory = ready_child(imports)
    session, _folder = session_of(imports, yolo_zip(4, 2))
    with session:
        session.verdict()
        assert session.job_id is not None
        job = imports.jobs.get(session.job_id)
        assert (job.runner or {})["pid"] == pid
        assert job.token == directory.parent.name
    until(lambda: not list(find_children(imports.jobs.root)))  # its own child ends after it
    imports.prepare()
    pid, waiting = ready_child(imports)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not list(find_children(imports.jobs.root)))
    session, _folder = session_of(imports, yolo_zip(4, 2))
    with session:
        assert session.verdict().images == 6
    assert not waiting.exists()


def test_a_killed_child_begins_anew_from_what_was_extracted(imports: DatasetImports) -> None:
    session, folder = session_of(imports, slow_zip())
    with session:
        planned = session.verdict()
        assert session.job_id is not None
        os.remove(folder / ARCHIVE)  # it is not needed any more
        (pid, _started, directory), *_rest = find_children(imports.jobs.root)
        os.kill(pid, signal.SIGKILL)
        job_id = session.job_id
        second = until(lambda: imports.verdicts.received.get(job_id))
        assert imports.jobs.get(job_id).attempt == 2
        assert (second.images, second.size_bytes) == (planned.images, planned.size_bytes)
        assert directory.parent.exists()


def test_a_request_whose_job_was_stopped_is_refused(imports: DatasetImports, app: APIFlask) -> None:
    imports.prepare()
    pid, _directory = ready_child(imports)
    os.kill(pid, signal.SIGSTOP)  # no machine is so fast that it has a verdict before the stop
    session, _folder = session_of(imports, yolo_zip(4, 2))
    answers: list[Any] = []

    def ask() -> None:
        with app.app_context():
            try:
                answers.append(session.verdict())
            except Conflict as error:
                answers.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: session.job_id is not None)
    assert session.job_id is not None
    until(lambda: imports.jobs.get(session.job_id).status == JobStatus.RUNNING)
    imports.jobs.stop(session.job_id)
    os.kill(pid, signal.SIGKILL)  # as the supervisor does with one that does not respond
    asking.join(LIMIT_S)
    assert isinstance(answers[0], Conflict), "somebody wanted it: an upload that can be resumed does not try again"


@contextmanager
def read_only(app: APIFlask) -> Iterator[None]:
    """The database cannot be written."""

    def refuse() -> None:
        raise WritesRefused("it is another one", "foreign")

    guard = app.extensions.get("write_guard")
    app.extensions["write_guard"] = refuse
    try:
        yield
    finally:
        app.extensions["write_guard"] = guard


def damaged(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        member = archive.getinfo(name)
        offset = member.header_offset + 30 + len(name) + member.compress_size // 2
    return data[:offset] + bytes([data[offset] ^ 255]) + data[offset + 1 :]


def test_a_refusal_does_not_wait_for_the_database(imports: DatasetImports, app: APIFlask) -> None:
    session, folder = session_of(imports, damaged(slow_zip(400), "images/train/399.jpg"))
    answers: list[Any] = []

    def ask() -> None:
        with app.app_context():
            try:
                answers.append(session.verdict())
            except AppError as error:
                answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    until(lambda: (folder / "source").exists() and imports.jobs.get(session.job_id or 0).runner)
    with read_only(app):
        asking.join(LIMIT_S)
        assert [error.status for error in answers] == [422]
        session.end()
        assert not list(find_children(imports.jobs.root))
    until(lambda: imports.jobs.get(1).status == JobStatus.FAILED)


def test_a_process_lost_while_the_database_is_away_is_reported(
    imports: DatasetImports, app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "LOST_S", 0.2)
    monkeypatch.setattr(session_module, "POLL_INTERVAL_S", 0.1)
    imports.prepare()
    pid, _directory = ready_child(imports)
    os.kill(pid, signal.SIGSTOP)  # no machine is so fast that it has a verdict before the stop
    session, _folder = session_of(imports, yolo_zip(4, 2))
    answers: list[Any] = []

    def ask() -> None:
        with app.app_context():
            try:
                answers.append(session.verdict())
            except AppError as error:
                answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    until(lambda: session.job_id is not None and imports.jobs.get(session.job_id).runner)
    with read_only(app):
        (pid, _started, _directory), *_rest = find_children(imports.jobs.root)
        os.kill(pid, signal.SIGKILL)
        asking.join(LIMIT_S)
        assert [error.status for error in answers] == [503]
        session.end()
    until(lambda: imports.jobs.get(1).status == JobStatus.CANCELLED)
    until(lambda: not imports.lost)  # after the commit


def test_a_child_that_is_ready_waits_while_nothing_can_be_written(imports: DatasetImports, app: APIFlask) -> None:
    """It is the next job's; if its job ends before it began, the child ends, too."""
    imports.prepare()
    pid, directory = ready_child(imports)
    session, _folder = session_of(imports, yolo_zip(4, 2))
    with read_only(app), pytest.raises(WritesRefused):
        session.verdict()
    session, _folder = session_of(imports, yolo_zip(4, 2))
    with session:
        session.verdict()
        assert session.job_id is not None
        assert (imports.jobs.get(session.job_id).runner or {})["pid"] == pid
    imports.prepare()
    _pid, directory = ready_child(imports)
    imports.jobs.scheduler.close()  # nothing is started any more
    job = imports.follow(5, 1, recipe({}, 1000), ORIGIN)
    assert job.token == directory.parent.name
    imports.jobs.stop(job.id)
    until(lambda: not list(find_children(imports.jobs.root)))
    assert not directory.exists()


@pytest.mark.parametrize("is_there", [False, True], ids=["rolled back", "its answer was lost"])
def test_a_child_goes_where_nobody_knows_whether_its_job_was_committed(
    imports: DatasetImports, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Its token may be that of a row: it is never used again, and the next job has another child."""
    imports.jobs.scheduler.close()
    imports.prepare()
    pid, directory = ready_child(imports)
    commit, here = db.session.commit, threading.get_ident()

    def fail() -> None:
        if threading.get_ident() != here or is_there:
            commit()
        if threading.get_ident() == here:
            raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    with monkeypatch.context() as patch:
        patch.setattr(db.session, "commit", fail)
        with pytest.raises(OperationalError):
            imports.follow(5, 1, recipe({}, 1000), ORIGIN)
    until(lambda: pid not in {child for child, _started, _directory in find_children(imports.jobs.root)})
    until(lambda: not directory.exists())
    imports.prepare()
    job = imports.follow(6, 1, recipe({}, 1000), ORIGIN)
    assert job.token != directory.parent.name
    assert [session.token == directory.parent.name for session in imports.of(5)] == [True] * is_there


def test_a_deleted_dataset_has_no_child_that_reads_it(imports: DatasetImports) -> None:
    """Neither one that creates a revision nor one that only answers."""
    busy = [session_of(imports, yolo_zip(4, 2))[0] for _ in range(AT_ONCE)]
    for session in busy:
        session.verdict()
    third, folder = session_of(imports, slow_zip(400))
    shutil.copytree(folder, imports.storage.dataset_dir(5))
    with writing() as rows:
        params = third.params | {"accepted": False}
        rows.add(Job(kind=READ, params=params, subject_type="dataset", subject_id=5))
    imports.jobs.scheduler.wake()
    (job,) = imports.of(5)
    until(lambda: imports.jobs.get(job.id).runner)
    imports.end(5)
    assert imports.jobs.get(job.id).status == JobStatus.CANCELLED
    assert imports.of(5) == []
    for session in busy:
        session.end()


def test_what_waits_for_its_turn_counts(imports: DatasetImports) -> None:
    """An upload whose import would be queued behind accepted ones is read for the response only, immediately."""
    imports.jobs.scheduler.close()
    for number in range(1, AT_ONCE + 1):
        imports.follow(number, 1, recipe({}, 1000), ORIGIN)
    session, _folder = session_of(imports, yolo_zip(4, 2))
    assert imports.submit(session.params).kind == READ


def test_an_attempt_that_missed_the_move_begins_anew(imports: DatasetImports) -> None:
    """It was started for the staging folder, and its request was answered before it got there."""
    params = {"number": 1, "staging": "/data/tmp/0f", "accepted": True}
    failure = Failed("code", "FileNotFoundError: [Errno 2] No such file or directory: '/data/tmp/0f'")
    again = imports.jobs.kinds[IMPORT].again
    assert again(Job(kind=IMPORT, params=params), failure) == {"number": 1, "accepted": True}
    assert again(Job(kind=IMPORT, params=params | {"accepted": False}), failure) is None
    assert again(Job(kind=IMPORT, params={"number": 1, "accepted": True}), failure) is None
    assert again(Job(kind=IMPORT, params=params), Failed("code", "KeyError: 'x'")) is None


def test_what_an_accepted_import_needs_is_not_how_it_came(imports: DatasetImports, tmp_path: Path) -> None:
    """A record of the extracted files may have been truncated by a crash: it is no longer read."""
    params = {"staging": "/x", "unpack": True, "number": 1, "options": recipe({}, 1000), "origin": ORIGIN}
    job = Job(kind=IMPORT, params=params | {"accepted": True}, subject_type="dataset", subject_id=5)
    spec = imports.spec(job, tmp_path / "job" / "1")
    assert (spec["unpack"], spec["folder"], spec["staged"]) == (False, None, False)
    record = Path(spec["unpacked"])
    record.parent.mkdir()
    record.write_text("")
    code = "import json, sys; from app.core.imports import ImportSpec; "
    code += "from app.worker.importing.incoming_files import IncomingFiles; "
    code += "files = IncomingFiles(ImportSpec.of(json.loads(sys.argv[1])), print, print); files.fetch()"
    subprocess.run([sys.executable, "-c", code, json.dumps(spec)], check=True, cwd=ROOT, timeout=LIMIT_S)


def test_a_costly_import_goes_on_in_the_slow_lane(imports: DatasetImports, tmp_path: Path) -> None:
    """Once, and after its request was answered; then without a time limit."""
    kind, failure = imports.jobs.kinds[IMPORT], Failed(TAKES_LONG, "more than 10 s")
    params = {"number": 1, "options": recipe({}, 1000), "origin": ORIGIN, "accepted": True}
    job = Job(kind=IMPORT, params=params, subject_type="dataset", subject_id=5)
    assert imports.spec(job, tmp_path / "job" / "1")["hurry"]
    job.params = kind.again(job, failure)
    assert job.params == params | {"slow": True}
    assert not imports.spec(job, tmp_path / "job" / "2")["hurry"]
    assert kind.again(job, failure) is None
    slow = kind.lane(job.params)
    assert slow != kind.lane(params)
    assert [kind.has_free_slot(running, 0, slow.slow) for running in (0, 1)] == [True, False]


def test_one_that_begins_anew_shows_its_old_progress_no_longer(
    idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset's viewers are notified that it is waiting, as for its turn in the slow lane."""
    messages: list[Any] = []
    monkeypatch.setattr("app.services.datasets.imports.to_dashboard", lambda *message: messages.append(message))
    services = idle_app.extensions["services"]
    with idle_app.app_context():
        with writing() as session:
            session.add(dataset := Dataset(name="Costly", classes=["a"], status="validating"))
            session.flush()
            params = {"number": 1, "options": {}, "origin": ORIGIN, "accepted": True}
            job = Job(kind=IMPORT, params=params, subject_type="dataset", subject_id=dataset.id)
            job.status, job.attempt, job.stop_mode, job.restarts = "running", 1, None, 0
            session.add(job)
        with writing() as session:
            conclude(
                job := session.get_one(Job, job.id), services.jobs.kinds[IMPORT], Failed(TAKES_LONG, "more than 10 s")
            )
        assert (job.status, job.params["slow"]) == ("pending", True)
        services.jobs.announce(job)
        payload = {"dataset_id": dataset.id, "status": "validating", "error": None, "revision": 1}
        assert messages == [("dataset_update", {**payload, **NO_PROGRESS})]


def test_a_long_import_does_not_block_another_one(imports: DatasetImports) -> None:
    kind = imports.jobs.kinds[IMPORT]
    assert kind.has_free_slot(running=1, long=0)
    assert not kind.has_free_slot(running=AT_ONCE, long=0)
    assert kind.has_free_slot(running=AT_ONCE, long=1)
    assert not kind.has_free_slot(running=AT_MOST, long=AT_MOST)
    busy = [session_of(imports, yolo_zip(4, 2))[0] for _ in range(AT_ONCE)]
    for session in busy:
        session.verdict()
    with writing() as rows:
        for job in imports.jobs.active(IMPORT):
            rows.get_one(Job, job.id).started_at = now() - timedelta(seconds=LONG_S + 1)
    third, _folder = session_of(imports, yolo_zip(5, 2))
    with third:
        third.verdict()
        assert third.kind == IMPORT, "it begins beside two that run for long"
    for session in busy:
        session.end()


def test_an_end_that_cannot_be_written_is_one(imports: DatasetImports, app: APIFlask) -> None:
    session, _folder = session_of(imports, slow_zip())
    session.verdict()
    with read_only(app):
        session.end()
        until(lambda: not list(find_children(imports.jobs.root)))
    until(lambda: imports.jobs.get(1).status == JobStatus.CANCELLED)


def test_the_job_of_an_answer_alone_is_committed_with_the_dataset(imports: DatasetImports, app: APIFlask) -> None:
    busy = [session_of(imports, yolo_zip(4, 2))[0] for _ in range(AT_ONCE)]
    for session in busy:
        session.verdict()
    third, _folder = session_of(imports, yolo_zip(5, 2))
    third.verdict()
    assert third.kind == READ
    with writing() as rows:
        third.accept(rows, 5)
    with read_only(app):
        third.release()
        assert 5 in imports.subjects(), "nothing has to be written behind the commit"
    for session in busy:
        session.end()
    imports.end(5)


def test_the_folder_of_a_dataset_is_announced_once_it_is_writable(imports: DatasetImports) -> None:
    session, _folder = session_of(imports, slow_zip())
    session.verdict()
    directory = imports.jobs.root / imports.jobs.get(1).token / "1"
    (directory / ".placed.tmp").mkdir()
    with writing() as rows:
        session.accept(rows, 5)
    session.release()
    assert not (directory / "placed").exists()
    (directory / ".placed.tmp").rmdir()
    until((directory / "placed").exists)
    imports.jobs.end(1)


def test_an_upload_that_is_a_datasets_original_is_not_emptied(tmp_path: Path) -> None:
    with open(tmp_path / "original.zip", "w+b") as file:
        file.write(b"all of it")
        file.flush()
        release(file)
        assert (tmp_path / "original.zip").read_bytes() == b"all of it"
        os.remove(tmp_path / "original.zip")
        release(file)
        assert os.fstat(file.fileno()).st_size == 0


@pytest.mark.parametrize("links", [1, 2])
def test_a_large_file_is_emptied_in_steps_before_its_last_link_goes(tmp_path: Path, links: int) -> None:
    """To free 500 MB at once stops every client for 150 ms; what another name still has stays as it is."""
    path = tmp_path / "original.zip"
    path.touch()
    os.truncate(path, 3 * RELEASE)
    if links == 2:
        os.link(path, tmp_path / "upload.bin")
    with open(path, "rb") as file:
        remove_file(str(path))
        assert not path.exists()
        assert os.fstat(file.fileno()).st_size == (0 if links == 1 else 3 * RELEASE)


def test_what_nobody_accepted_does_not_outlast_the_server(imports: DatasetImports) -> None:
    with writing() as session:
        params = {"number": 1, "options": {}, "origin": ORIGIN}
        waiting, accepted = (
            Job(kind=IMPORT, params=params | {"accepted": is_accepted}) for is_accepted in (False, True)
        )
        for job in (waiting, accepted):
            job.status = JobStatus.CANCELLED
            session.add(job)
    kind = imports.jobs.kinds[IMPORT]
    assert (kind.outlasts_server(waiting), kind.outlasts_server(accepted)) == (False, True)
    assert not imports.jobs.kinds[READ].outlasts_server(accepted)


def test_a_clock_that_jumps_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that slept, or NTP: only the monotonic clock measures how long a child was silent."""
    (tmp_path / "heartbeat").touch()
    pulse = Pulse(Child(tmp_path, 0, 0.0))
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    assert pulse.silent_s() == 0
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert pulse.silent_s() == 0
    monkeypatch.setattr(time, "monotonic", lambda: clock + 61)
    assert pulse.silent_s() == 61
    os.utime(tmp_path / "heartbeat", (1, 1))
    assert pulse.silent_s() == 0
