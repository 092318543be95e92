"""Several hosts: killed, frozen, cut off, with a wrong clock or a full disk. No job is lost, no epoch counted twice."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.events import read_events
from tests.faults.conftest import Record
from tests.faults.hosts import FAKETIME, WEB, WORKERS, Platform, running_platform
from tests.faults.tools import (
    add_dataset,
    begin,
    check_loads,
    epochs,
    filled,
    state,
    wait_for_epoch,
    wait_until,
    weights,
)

EPOCHS = 8
# A lost worker is detected a minute after its last heartbeat, which is up to 3 s old, by checks 2 s apart.
MOVES_S = 70.0
LASTS_S = 150.0  # of a training that is still running on its host when another host gets it
STARTS_S = 30.0  # of a process that imports torch and reads a checkpoint, beside others on two cores
PATIENCE_S = 600.0  # for a training that others slow down

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("hosts")) as running:
        running.dataset_id = add_dataset(running)
        running.epoch_seconds = epoch_seconds(running)
        yield running


def epoch_seconds(platform: Platform) -> float:
    """The duration of an epoch here and now."""
    training_id = begin(platform, platform.dataset_id, epochs=EPOCHS)
    wait_for_epoch(platform, training_id, 2, 300)
    began = time.monotonic()
    wait_for_epoch(platform, training_id, EPOCHS, PATIENCE_S)
    return (time.monotonic() - began) / (EPOCHS - 2)


@pytest.fixture(autouse=True)
def healed(platform: Platform) -> Iterator[None]:
    """Repairs whatever a row has broken before the next one."""
    yield
    for host in platform.hosts.values():
        host.mend()
        host.signal(signal.SIGCONT)
    platform.clocks.clear()
    platform.heal()


def training(platform: Platform, lasts_s: float = 0.0) -> tuple[int, str]:
    """(id, host) of a training that has completed its first epoch.

    Args:
        lasts_s: minimum duration, unless the machine has become faster.
    """
    count = max(EPOCHS, math.ceil(lasts_s / platform.epoch_seconds))
    training_id = begin(platform, platform.dataset_id, epochs=count)
    wait_for_epoch(platform, training_id, 1, 300)
    _attempt, status, host = platform.job(training_id)
    assert (status, host in WORKERS) == ("running", True)
    return training_id, str(host)


def moved(platform: Platform, training_id: int, host: str, since: float, seconds: float) -> float:
    """When another host has the job, in seconds since the fault."""

    def elsewhere() -> bool:
        attempt, status, now = platform.job(training_id)
        return attempt == 2 and status == "running" and now not in {host, None}

    wait_until(elsewhere, seconds, f"another host than {host} has the job")
    return time.monotonic() - since


def goes_on(platform: Platform, training_id: int, count: int, since: float) -> float:
    """When there is a new epoch, or the end, in seconds since the fault."""

    def more() -> bool:
        return len(epochs(platform, training_id)) > count or state(platform, training_id)["status"] == "completed"

    wait_until(more, PATIENCE_S, "it goes on")
    return time.monotonic() - since


def ends(platform: Platform, training_id: int, attempts: int) -> None:
    """It is completed: each epoch once, intact checkpoints, and no other unfinished job."""

    def completed() -> bool:
        body = state(platform, training_id)
        assert body["status"] not in {"failed", "cancelled"}, (body["error_kind"], body["error"])
        return body["status"] == "completed"

    wait_until(completed, PATIENCE_S, f"training {training_id} is completed", 0.5)
    rows = platform.rows(f"SELECT epoch FROM training_metric WHERE training_id = {training_id} ORDER BY epoch")
    count = state(platform, training_id)["epochs"]
    assert rows == [(number,) for number in range(1, count + 1)], "each epoch once"
    assert platform.job(training_id)[:2] == (attempts, "completed")
    lost = platform.rows("SELECT id, kind, status FROM job WHERE status NOT IN ('completed', 'cancelled')")
    assert lost == [], "no job is lost"
    check_loads([path for path in weights(platform, training_id) if path.name.startswith("epoch-")])


def elsewhere(record: Record, platform: Platform, fault: Callable[[str], None], attempts: int = 2) -> tuple[int, str]:
    """A training on a faulty host continues on another one."""
    training_id, host = training(platform, LASTS_S)
    count, began = len(epochs(platform, training_id)), time.monotonic()
    fault(host)
    seconds = moved(platform, training_id, host, began, 150)
    again = goes_on(platform, training_id, count, began)
    record.seconds, record.note = seconds, f"next epoch after {again:.0f} s"
    assert seconds <= MOVES_S
    assert again <= MOVES_S + STARTS_S + platform.epoch_seconds
    return training_id, host


@pytest.mark.faults("hosts: kill -9 of the web process that leads", 2)
def test_kill_leader(record: Record, platform: Platform) -> None:
    training_id, _host = training(platform)
    name = platform.leader()
    other = next(item for item in WEB if item != name)
    count, began = len(epochs(platform, training_id)), time.monotonic()
    platform.hosts[name].end_program("web")
    platform.url = platform.address(other)
    wait_until(lambda: platform.leader() == other, 60, "the other one leads")
    record.recovered(began)
    record.note = f"next epoch after {goes_on(platform, training_id, count, began):.0f} s"
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: kill -9 of a worker, its host goes on", 2)
def test_kill_worker(record: Record, platform: Platform) -> None:
    """What its orphaned process still does is discarded; it ends once it detects a newer attempt."""
    training_id, _host = elsewhere(record, platform, lambda name: platform.hosts[name].end_program("worker"))
    ends(platform, training_id, 2)


@pytest.mark.faults("hosts: kill -9 of a work-horse", 2)
def test_kill_horse(record: Record, platform: Platform) -> None:
    training_id, host = training(platform)
    count, began = len(epochs(platform, training_id)), time.monotonic()
    platform.horse(host).kill()
    record.seconds = goes_on(platform, training_id, count, began)
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: SIGSTOP of a work-horse", 2)
def test_freeze_horse(record: Record, platform: Platform) -> None:
    training_id, host = training(platform, 60)
    horse, began = platform.horse(host), time.monotonic()
    horse.suspend()
    wait_until(lambda: not horse.is_running() or horse.status() == "zombie", 90, "it is replaced", 0.2)
    record.recovered(began)
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: kill -9 of a child", 2)
def test_kill_child(record: Record, platform: Platform) -> None:
    training_id, host = training(platform)
    count, began = len(epochs(platform, training_id)), time.monotonic()
    platform.hosts[host].children()[0].kill()
    wait_until(lambda: platform.job(training_id)[0] == 2, 30, "it is noticed")
    record.recovered(began)
    record.note = f"next epoch after {goes_on(platform, training_id, count, began):.0f} s"
    ends(platform, training_id, 2)


@pytest.mark.faults("hosts: kill -9 of all of a host", 2)
def test_kill_host(record: Record, platform: Platform) -> None:
    training_id, _host = elsewhere(record, platform, lambda name: platform.hosts[name].kill())
    ends(platform, training_id, 2)


@pytest.mark.faults("hosts: SIGSTOP of {what} for 5 minutes, then CONT", 1)
@pytest.mark.parametrize("what", ["a worker", "all of a host"])
def test_freeze(record: Record, platform: Platform, what: str) -> None:
    """The zombie changes nothing."""

    def freeze(name: str) -> None:
        host = platform.hosts[name]
        host.signal(signal.SIGSTOP) if what == "all of a host" else host.process("worker").suspend()

    began = time.monotonic()
    training_id, host = elsewhere(record, platform, freeze)
    ends(platform, training_id, 2)
    before = platform.rows("SELECT * FROM training_metric ORDER BY id"), files(platform, training_id)
    time.sleep(max(0.0, began + 300 - time.monotonic()))
    platform.hosts[host].signal(signal.SIGCONT)
    platform.wait_until_ready()
    wait_until(lambda: not platform.hosts[host].children(), 60, "nothing works there for nobody")
    assert before == (platform.rows("SELECT * FROM training_metric ORDER BY id"), files(platform, training_id))
    ends(platform, training_id, 2)


def files(platform: Platform, training_id: int) -> dict[str, int]:
    """A training's files, and the modification time of each."""
    return {str(path): path.stat().st_mtime_ns for path in weights(platform, training_id)}


@pytest.mark.faults("hosts: network of a worker cut for 20 s", 2)
def test_cut_shortly(record: Record, platform: Platform) -> None:
    """Nothing moves."""
    training_id, host = training(platform, 60)
    platform.hosts[host].cut()
    time.sleep(20)
    count, began = len(epochs(platform, training_id)), time.monotonic()
    platform.hosts[host].mend()
    record.seconds = goes_on(platform, training_id, count, began)
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: network of a worker cut for 120 s", 2)
def test_cut_long(record: Record, platform: Platform) -> None:
    """It moves once."""
    began = time.monotonic()
    training_id, host = elsewhere(record, platform, lambda name: platform.hosts[name].cut())
    time.sleep(max(0.0, began + 120 - time.monotonic()))
    platform.hosts[host].mend()
    ends(platform, training_id, 2)
    platform.wait_until_ready()
    assert platform.hosts[host].children() == []


@pytest.mark.faults("hosts: Redis restarted empty", 2)
def test_empty_redis(record: Record, platform: Platform) -> None:
    training_id, _host = training(platform)
    waiting = [begin(platform, platform.dataset_id, epochs=1) for _ in range(4)]
    redis = platform.hosts["redis"]
    redis.process("redis").kill()
    redis.programs["redis"].wait(20)
    began = time.monotonic()
    platform.start_redis()
    for item in waiting:
        wait_until(lambda item=item: state(platform, item)["status"] == "completed", PATIENCE_S, "it is done", 0.5)
    record.recovered(began)
    record.note = "until four trainings that waited were done"
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: PostgreSQL restarted", 2)
def test_restarted_postgres(record: Record, platform: Platform) -> None:
    training_id, _host = training(platform)
    count = len(epochs(platform, training_id))
    platform.restart_postgres()
    began = time.monotonic()
    wait_until(lambda: platform.get(f"/api/trainings/{training_id}").status_code == 200, 60, "the pages are back")
    answers = time.monotonic() - began
    record.seconds = goes_on(platform, training_id, count, began)
    record.note = f"pages after {answers:.1f} s"
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: both web processes away for {minutes} minutes", 1)
@pytest.mark.parametrize("minutes", [10])
def test_no_web(record: Record, platform: Platform, minutes: int) -> None:
    """The training continues, and ends before a web process is back."""
    training_id, _host = training(platform)
    for name in WEB:
        platform.hosts[name].end_program("web")
    query = f"SELECT count(*) FROM training_metric WHERE training_id = {training_id}"
    began = time.monotonic()
    wait_until(lambda: platform.rows(query) == [(EPOCHS,)], PATIENCE_S, "all epochs are there", 0.5)
    record.note = f"all epochs were there after {time.monotonic() - began:.0f} s"
    time.sleep(max(0.0, began + 60 * minutes - time.monotonic()))
    back = time.monotonic()
    platform.heal()
    record.recovered(back)
    ends(platform, training_id, 1)


@pytest.mark.faults("hosts: a worker's clock {wrong} wrong", 1)
@pytest.mark.parametrize("wrong", ["+1h", "-1h"])
def test_wrong_clock(record: Record, platform: Platform, wrong: str) -> None:
    """Of all three hosts, so that the training's is among them."""
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed")
    for name in WORKERS:
        platform.hosts[name].process("worker").terminate()
        platform.hosts[name].programs["worker"].wait(60)
        platform.clocks[name] = wrong
    platform.heal()
    began = time.time()
    training_id, host = training(platform, 20)
    child = platform.hosts[host].children()[0]
    offsets = [item.time.timestamp() - time.time() for _, item in read_events(Path(child.cmdline()[-1]))]
    assert offsets, "it has said something"
    assert all(abs(abs(offset) - 3600) < 60 for offset in offsets), "its clock is wrong"
    ends(platform, training_id, 1)
    times = (
        f"SELECT extract(epoch FROM start_time), extract(epoch FROM end_time) FROM training WHERE id = {training_id}"
    )
    [(first, last)] = platform.rows(times)
    assert began - 60 < float(first) < float(last) < time.time() + 60, "the times that the pages show are right"
    record.note = f"{float(last) - float(first):.0f} s as the pages show it"
    for name in WORKERS:
        platform.hosts[name].process("worker").terminate()
        platform.hosts[name].programs["worker"].wait(60)


@pytest.mark.faults("hosts: the disk of a worker's host is full", 1)
def test_full_disk(record: Record, platform: Platform) -> None:
    """The host's own disk: temporary files and logs."""
    training_id, host = training(platform)
    with filled(platform.hosts[host].tmp):
        count, began = len(epochs(platform, training_id)), time.monotonic()
        record.seconds = goes_on(platform, training_id, count, began)
        wait_until(lambda: state(platform, training_id)["status"] == "completed", PATIENCE_S, "it is done", 0.5)
        later = begin(platform, platform.dataset_id, epochs=1)
        wait_until(lambda: state(platform, later)["status"] == "completed", PATIENCE_S, "the next one is done", 0.5)
    ends(platform, training_id, 1)
