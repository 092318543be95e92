"""Who trains next: the queue is the pending rows, by priority, then age; one training a device."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from app.database import writing
from app.extensions import db, socketio
from app.models import Training, TrainingEvent, TrainingStatus, now

logger = logging.getLogger("yolo.training")

POLL_S = 2.0  # a change is noticed at once; this is for what nobody announced
CPU = "cpu"


@dataclass(frozen=True)
class Claim:
    """A training that is ours to run now, on these devices: `cpu`, or the numbers of GPUs."""

    training_id: int
    attempt: int
    devices: tuple[str, ...]


class Dispatcher:
    """Starts pending trainings while devices are free. Nothing starts twice: a row is claimed in a transaction.

    Args:
        gpus: the GPUs that may be used, as CUDA numbers them; none: everything runs on the CPU.
        start: called with each claim; must return at once.
    """

    def __init__(self, gpus: list[str], start: Callable[[Claim], None]) -> None:
        self.gpus = gpus
        self.start = start
        self.busy: dict[int, tuple[str, ...]] = {}
        self.closed = False
        self._changed = threading.Event()  # cooperative under eventlet, which patches it

    def run(self, app: Flask) -> None:
        """The loop; a background task."""
        while not self.closed:
            try:
                with app.app_context():
                    while (claim := self.claim()) is not None:
                        self.start(claim)
            except Exception:
                logger.exception("the queue")
            self._changed.wait(POLL_S)
            self._changed.clear()

    def begin(self, app: Flask) -> None:
        socketio.start_background_task(self.run, app)

    def wake(self) -> None:
        """Something changed: look again."""
        self._changed.set()

    def hold(self, training_id: int, devices: tuple[str, ...]) -> None:
        self.busy[training_id] = devices

    def release(self, training_id: int) -> None:
        self.busy.pop(training_id, None)
        self.wake()

    def claim(self) -> Claim | None:
        """The first of the queue whose devices are free becomes `running`."""
        table = Training.__table__.c  # nothing of the classes is set up until a training waits
        if db.session.scalar(select(table.id).where(table.status == TrainingStatus.PENDING).limit(1)) is None:
            return None
        waiting = Training.status == TrainingStatus.PENDING
        with writing() as session:
            queue = select(Training).where(waiting).with_for_update()
            taken = {device for devices in self.busy.values() for device in devices}
            for row in session.scalars(queue.order_by(Training.priority.desc(), Training.created_at, Training.id)):
                wanted = self.devices_for(row.params.get("device", "auto"), taken)
                if taken.isdisjoint(wanted):
                    row.become(TrainingStatus.RUNNING)
                    row.attempt += 1
                    row.event_seq = row.event_offset = 0
                    row.start_time = now()
                    row.pid = row.pid_started = None
                    row.log_path = f"models/{row.id}/attempts/{row.attempt}/worker.log"
                    row.seq += 1
                    session.add(TrainingEvent(training_id=row.id, seq=row.seq, event="training_status", payload={}))
                    claim = Claim(row.id, row.attempt, wanted)
                    break
                taken |= set(wanted)  # the next in line must not take what this one waits for
            else:
                return None
        self.hold(claim.training_id, claim.devices)
        return claim

    def devices_for(self, wanted: str, taken: set[str]) -> tuple[str, ...]:
        """The devices of a request: `auto` is the first free GPU, or the CPU where there is none."""
        if wanted == CPU or not self.gpus:
            return (CPU,)
        if wanted == "auto":
            return (next((gpu for gpu in self.gpus if gpu not in taken), self.gpus[0]),)
        return tuple(self.gpus[int(number)] for number in wanted.split(",") if int(number) < len(self.gpus)) or (CPU,)


def known(wanted: str, gpus: list[str]) -> bool:
    """Whether a machine with these GPUs has the devices that a request names."""
    return wanted in {"auto", CPU} or all(int(number) < len(gpus) for number in wanted.split(","))


def gpus(visible: str) -> list[str]:
    """The GPUs of this machine that `visible` (CUDA_VISIBLE_DEVICES; empty: all) lets us use.

    Counted without a CUDA library: the web process stays light.
    """
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not visible:
        return [str(number) for number in range(present)]
    return [part.strip() for part in visible.split(",") if part.strip() not in {"", "-1"}] if present else []
