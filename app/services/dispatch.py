"""Who trains next: the queue is the pending rows, by priority, then position; one training a device."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.database import writing
from app.extensions import db, socketio
from app.models import Training, TrainingStatus, now

logger = logging.getLogger("yolo.training")

POLL_S = 2.0  # a change is noticed at once; this is for what nobody announced
CPU = "cpu"
DISK_STEP = 256 * 1024**2  # bytes: free disk is told in such steps, or it would be told every round
PLANNED = ("id", "params", "start_not_before", "waiting_for", "priority", "position")
Waiting = dict[int, dict[str, Any]]  # what each waits for, by training


@dataclass(frozen=True)
class Claim:
    """A training that is ours to run now, on these devices: `cpu`, or the numbers of GPUs."""

    training_id: int
    attempt: int
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """Free disk in bytes, and how much of it must be free for a training to start."""

    free: int
    needed: int


@dataclass(frozen=True)
class Place:
    """One that waits, where, and for what."""

    id: int
    priority: int
    position: float
    waiting_for: dict[str, Any]


class Dispatcher:
    """Starts pending trainings while devices are free. Nothing starts twice: a row is claimed in a transaction.

    Args:
        gpus: the GPUs that may be used, as CUDA numbers them; none: everything runs on the CPU.
        slots: how many trainings may share a GPU. The CPU has one slot: a training uses every core.
        start: called with each claim; must return at once.
        look: called once a round, before the queue, with the free disk; it lets go on what waited for that.
        tell: called with the messages about what changed, after the commit.
    """

    def __init__(
        self,
        gpus: list[str],
        start: Callable[[Claim], None],
        look: Callable[[Room], None] = lambda _: None,
        tell: Callable[[list[Any]], None] = lambda _: None,
        slots: int = 1,
    ) -> None:
        self.gpus, self.slots = gpus, slots
        self.start, self.look, self.tell = start, look, tell
        self.busy: dict[int, tuple[str, ...]] = {}
        self.closed = False
        self._changed = threading.Event()  # cooperative under eventlet, which patches it

    def run(self, app: Flask) -> None:
        """The loop; a background task."""
        while not self.closed:
            try:
                with app.app_context():
                    self.round(room(app))
            except OperationalError as error:  # locked, or may not be written now: later
                logger.warning("the queue: database: %s", error.orig)
            except Exception:
                logger.exception("the queue")
            self._changed.wait(POLL_S)
            self._changed.clear()

    def round(self, free: Room) -> None:
        """Start everything that can start now."""
        self.look(free)
        while not self.closed and (claim := self.claim(free)) is not None:
            self.start(claim)

    def begin(self, app: Flask) -> None:
        socketio.start_background_task(self.run, app)

    def wake(self) -> None:
        """Something changed: look again."""
        self._changed.set()

    def close(self) -> None:
        """Start nothing any more. Called from a signal handler too: it takes no lock and wakes nobody."""
        self.closed = True

    def hold(self, training_id: int, devices: tuple[str, ...]) -> None:
        self.busy[training_id] = devices

    def release(self, training_id: int) -> None:
        self.busy.pop(training_id, None)
        self.wake()

    def claim(self, free: Room | None = None) -> Claim | None:
        """The first of the queue that can start becomes `running`; the others learn what they wait for.

        Planned on a read: most rounds change nothing, and then nothing is locked.
        """
        queue = waiting_rows()
        chosen, reasons = plan(queue, self.busy, self.gpus, free, now(), self.slots)
        changed = {row.id for row in queue if row.waiting_for != reasons.get(row.id)}
        if chosen is None and not changed:
            return None
        with writing() as session:
            wanted = changed | ({chosen[0].id} if chosen else set())
            still = (Training.status == TrainingStatus.PENDING) & Training.deleted_at.is_(None)
            rows = session.scalars(select(Training).where(Training.id.in_(wanted), still).with_for_update()).all()
            claim = next((take(row, chosen[1]) for row in rows if chosen and row.id == chosen[0].id), None)
            messages = announce(queue, rows, reasons)
        if claim is not None:
            self.hold(claim.training_id, claim.devices)
        self.tell(messages)
        return claim


def waiting_rows() -> Sequence[Any]:
    """The queue in its order, with what planning needs of each training."""
    table = Training.__table__.c  # nothing of the classes is set up until a training waits
    if db.session.scalar(select(table.id).where(table.status == TrainingStatus.PENDING).limit(1)) is None:
        return []
    columns = select(*(getattr(Training, name) for name in PLANNED))
    waits = (Training.status == TrainingStatus.PENDING) & Training.deleted_at.is_(None)
    return db.session.execute(columns.where(waits).order_by(*queue_order())).all()


def announce(queue: Sequence[Any], rows: Iterable[Training], reasons: Waiting) -> list[Any]:
    """Write down what each waits for, or that it starts; the messages about it.

    Where a training only moved up, its own room hears of it; the dashboard gets the queue in one message, or each end
    of a training would send it every training behind.
    """
    # Not at import: the trainer imports this module.
    from app.services.trainer.messages import queue_message, status_message

    messages = []
    for row in rows:
        before, row.waiting_for = row.waiting_for or {}, reasons.get(row.id)
        same = before.get("code") == "turn" == (row.waiting_for or {}).get("code")
        messages.append(status_message(row, dashboard=not same))
    if not all(item.dashboard for item in messages):
        left = (row for row in queue if row.id in reasons)
        messages.append(queue_message(Place(row.id, row.priority, row.position, reasons[row.id]) for row in left))
    return messages


def queue_order() -> tuple[Any, ...]:
    """The order in which trainings leave the queue."""
    return Training.priority.desc(), Training.position, Training.id


def take(row: Training, devices: tuple[str, ...]) -> Claim:
    """Make it a running training in its next attempt."""
    row.become(TrainingStatus.RUNNING)
    row.attempt += 1
    row.event_seq = row.event_offset = 0
    row.start_time = (row.resume_from and row.start_time) or now()
    row.seconds_before = row.training_seconds = row.training_seconds if row.resume_from else 0.0
    row.pid = row.pid_started = None
    row.devices = list(devices)
    row.log_path = f"models/{row.id}/attempts/{row.attempt}/worker.log"
    return Claim(row.id, row.attempt, devices)


def plan(
    queue: Iterable[Any],
    busy: dict[int, tuple[str, ...]],
    gpus: list[str],
    free: Room | None,
    time: datetime,
    slots: int = 1,
) -> tuple[tuple[Any, tuple[str, ...]] | None, Waiting]:
    """Which training starts now on which devices, and what each of the others waits for. `queue`: waiting_rows().

    Who waits for a device keeps it from those behind; who waits for the clock does not. A GPU is shared by up to
    `slots` trainings.
    """
    chosen, reasons, waiting = None, Waiting(), list[set[str]]()
    holders = holders_by_device(busy)
    for row in queue:
        if row.start_not_before is not None and row.start_not_before > time:
            reasons[row.id] = {"code": "schedule", "until": row.start_not_before.isoformat().replace("+00:00", "Z")}
            continue
        devices = devices_for(row.params.get("device", "auto"), gpus, holders)
        if not devices:
            reasons[row.id] = {"code": "missing_device", "device": row.params["device"]}
            continue
        ahead = sum(not others.isdisjoint(devices) for others in waiting)
        full = [device for device in devices if len(holders.get(device, ())) >= (1 if device == CPU else slots)]
        holder = row.id if row.id in busy else holders[full[0]][0] if full else None
        if free is not None and free.free < free.needed:
            reasons[row.id] = {"code": "disk", "free": free.free // DISK_STEP * DISK_STEP, "needed": free.needed}
        elif holder is None:  # one starts a round
            chosen = chosen or (row, devices)
        elif ahead:
            reasons[row.id] = {"code": "turn", "ahead": ahead}
        else:
            reasons[row.id] = {"code": "device", "training_id": holder}
        if row.id in reasons:
            waiting.append(set(devices))
        for device in devices:
            holders.setdefault(device, []).append(row.id)
    return chosen, reasons


def holders_by_device(busy: Mapping[int, tuple[str, ...]]) -> dict[str, list[int]]:
    """The trainings on each device that has any."""
    holders: dict[str, list[int]] = {}
    for training_id, devices in busy.items():
        for device in devices:
            holders.setdefault(device, []).append(training_id)
    return holders


def devices_for(wanted: str, gpus: list[str], holders: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """The devices of a request: `auto` is the GPU with the fewest trainings on it or waiting for it, the first of
    several, or the CPU where there is no GPU; () when one is missing.
    """
    if wanted == CPU or (wanted == "auto" and not gpus):
        return (CPU,)
    if wanted == "auto":
        return (min(gpus, key=lambda gpu: len(holders.get(gpu, ()))),)
    return tuple(gpus[int(number)] for number in wanted.split(",")) if known(wanted, gpus) else ()


def known(wanted: str, gpus: list[str]) -> bool:
    """Whether a machine with these GPUs has the devices that a request names."""
    return wanted in {"auto", CPU} or all(int(number) < len(gpus) for number in wanted.split(","))


def room(app: Flask) -> Room:
    """The free disk below the trainings' folder, and DISK_RESERVE."""
    return Room(free_disk(Path(app.config["MODELS_DIR"])), app.config["DISK_RESERVE"])


def free_disk(folder: Path) -> int:
    """Bytes that are free for us where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def gpus(visible: str) -> list[str]:
    """The GPUs of this machine that `visible` (CUDA_VISIBLE_DEVICES; empty: all) lets us use.

    Counted without a CUDA library: the web process stays light.
    """
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not visible:
        return [str(number) for number in range(present)]
    return [part.strip() for part in visible.split(",") if part.strip() not in {"", "-1"}] if present else []
