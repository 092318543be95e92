"""Watches one training child: its events, its output, its pulse, and the wish to stop it."""

import logging
import signal
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.events import Cancelled, Event, Failed, Figures, Paused, Progress
from app.extensions import db, socketio
from app.jobs.process import ASK_S, CRASHES, TERM_S, Child, oom_kills
from app.models import Training, TrainingEvent, now
from app.services.dispatch import room
from app.services.trainer import recover
from app.services.trainer.apply import apply, end
from app.services.trainer.messages import LogPiece, Message
from app.services.trainer.output import plain, read_log

logger = logging.getLogger("yolo.training")

POLL_S = 0.15
SILENT_S = 60.0  # without a heartbeat
IDLE_S = 600.0  # with a heartbeat, but within a batch
PAUSE_S = 60.0  # a pause waits longer than a stop: being killed costs what was learned since the checkpoint
DISK_S = 5.0  # between two looks
LEAVE_S = 30.0  # from the last event to the end of the process
LOG_PIECE = 32_768
LAST_LOG_PIECE = 262_144  # when nobody will look again
LOG_S = 0.5
Send = Callable[[list[Message]], None]


class Supervisor:
    """One child from its start, or from where an earlier server left off, to its end.

    Args:
        app: for database sessions outside requests.
        training_id, attempt: what the child works on; an attempt that is not the present one changes nothing.
        child: the process and its folder.
        offset: how much of its event file is applied already.
        send: called with what was committed.
    """

    def __init__(self, app: Flask, training_id: int, attempt: int, child: Child, offset: int, send: Send) -> None:
        self.app, self.send = app, send
        self.training_id, self.attempt, self.child = training_id, attempt, child
        self.offset = offset
        self.ended = False
        self.reason: Failed | None = None  # why we ended the child ourselves
        self.asked: str | None = None  # how the child was asked to stop: cancel or pause
        self.asked_at = 0.0
        self.disk_at = 0.0
        self.memory_kills = oom_kills()
        self.ended_at = 0.0
        self.last: Event | None = None
        self.damaged: set[int] = set()  # places in the event file
        self.damage_told = False
        self.heard_at = self.beat_at = time.monotonic()
        self.beat: float | None = None
        self.log_offset: int | None = None  # until the first look
        self.log_at = 0.0

    def run(self) -> None:
        """Until the child is gone and its ending is recorded."""
        alive = True
        while alive:
            try:
                with self.app.app_context():
                    alive = self.step()
            except OperationalError as error:  # the event file keeps what the database cannot take now
                logger.warning("training %s: database: %s", self.training_id, error.orig)
                socketio.sleep(1)
            except Exception:
                logger.exception("training %s: supervising", self.training_id)
                socketio.sleep(1)
            else:
                socketio.sleep(POLL_S if alive else 0)

    def step(self) -> bool:
        """Read once, decide once; False when there is nothing more to watch."""
        alive = self.child.alive()  # before reading: what it said until then is in the file
        self.pump(alive)
        if alive:
            self.watch()
            return True
        if not self.ended:
            self.conclude()
        self.child.sweep()
        return False

    def pump(self, alive: bool) -> None:
        """Apply what is new in its events and its output, then send it."""
        said = list(self.child.events(self.offset, self.pass_over))
        log = self.new_log(alive, bool(said))
        if not said and log is None:
            self.tell_damage()
            return
        messages = apply(self.training_id, self.attempt, said, log)
        if said:
            self.offset = said[-1][0]
        self.tell_damage()
        # The figures come from a thread of their own: they are no sign that the training gets on.
        if heard := [place.event for _, place in said if not isinstance(place.event, Figures)]:
            self.last, self.heard_at = heard[-1], time.monotonic()
        if log is not None:
            self.log_offset, self.log_at = log.offset, time.monotonic()
        if any(envelope.event.terminal for _, envelope in said):
            self.ended, self.ended_at = True, time.monotonic()
        self.send(messages)

    def pass_over(self, offset: int) -> None:
        """A line of the event file is none; what was said before and after it counts."""
        if offset not in self.damaged:
            logger.error(
                "training %s: %s/events.jsonl is damaged at byte %s", self.training_id, self.child.directory, offset
            )
        self.damaged.add(offset)

    def tell_damage(self) -> None:
        """Once, on the page of the training."""
        if self.damaged and not self.damage_told:
            self.send(recover.note(self.training_id, "events_damaged", attempt=self.attempt))
            self.damage_told = True

    def new_log(self, alive: bool, now: bool) -> LogPiece | None:
        """Whole lines that follow the last ones; unless `now`, at most twice a second: each costs a transaction."""
        if self.log_offset is None:
            self.log_offset = log_place(self.training_id, self.attempt)
        if alive and not now and time.monotonic() - self.log_at < LOG_S:
            return None
        text, offset = read_log(self.child.directory, self.log_offset, LOG_PIECE if alive else LAST_LOG_PIECE)
        return LogPiece(self.attempt, self.log_offset, offset, text) if offset > self.log_offset else None

    def watch(self) -> None:
        """Everything that can end a child that runs."""
        if self.ended:
            if time.monotonic() - self.ended_at > LEAVE_S:
                self.child.signal(signal.SIGKILL)
            return
        self.watch_disk()
        self.watch_stop()
        self.watch_pulse()

    def watch_disk(self) -> None:
        """Pause before the disk is full: at half of what must be free to start, so that it does not go on and off."""
        if time.monotonic() - self.disk_at < DISK_S or self.asked:
            return
        self.disk_at = time.monotonic()
        free = room(self.app)
        if free.free < free.needed / 2:
            logger.warning("training %s: %s bytes free: pause", self.training_id, free.free)
            self.send(recover.pause_for_disk(self.training_id, free))

    def watch_stop(self) -> None:
        """Ask, then TERM, then KILL, each timed. Stopping wins over pausing."""
        wish = wished(self.training_id)
        if wish is not None and wish != self.asked:
            self.child.ask_to_stop(wish)
            self.asked, self.asked_at = wish, time.monotonic()
        if self.asked is None:
            return
        waited = time.monotonic() - self.asked_at
        patience = ASK_S if self.asked == "cancel" else PAUSE_S
        if waited > patience + TERM_S:  # a stopped process keeps TERM pending
            self.child.signal(signal.SIGKILL)
        elif waited > patience:
            self.child.signal(signal.SIGTERM)

    def watch_pulse(self) -> None:
        """By our own clock: a changed system time or a machine that slept is no stall."""
        present = time.monotonic()
        beat = self.child.heartbeat()
        if beat != self.beat:
            self.beat, self.beat_at = beat, present
        if present - self.beat_at > SILENT_S:
            self.kill(Failed("stalled", f"no heartbeat for {SILENT_S:.0f} s"))
        elif isinstance(self.last, Progress) and present - self.heard_at > IDLE_S:
            self.kill(Failed("stalled", f"no batch for {IDLE_S:.0f} s"))

    def kill(self, reason: Failed) -> None:
        logger.error("training %s: %s", self.training_id, reason.error)
        self.reason = self.reason or reason
        self.child.signal(signal.SIGKILL)

    def conclude(self) -> None:
        """The child is gone and did not say why."""
        wish, epoch = wished(self.training_id), epoch_of(self.training_id)
        if wish == "cancel":
            event: Event = Cancelled(epoch, recover.weights_left(self.child.directory.parent.parent))
        elif wish == "pause":
            event = Paused(epoch, "asked")
        else:
            event = self.reason or self.cause_of_death()
        self.send(end(self.training_id, self.attempt, event, now()))
        self.ended = True

    def cause_of_death(self) -> Failed:
        if (
            self.damaged and self.child.exit_code() == 0
        ):  # its last word is lost: from its last checkpoint it comes again
            return Failed("killed", "the event file was damaged, and the process's result with it")
        limited = bool(self.app.config["TRAINING_MEMORY_LIMIT"])
        return cause_of_death(self.child, oom_kills() > self.memory_kills, limited)


def wished(training_id: int) -> str | None:
    """How the user, or the disk, wants the child to end: cancel, pause, or not at all."""
    flags = db.session.execute(
        select(Training.stop_requested, Training.pause_requested).where(Training.id == training_id)
    ).first()
    if flags is None or flags.stop_requested:
        return "cancel"
    return "pause" if flags.pause_requested else None


def epoch_of(training_id: int) -> int:
    return db.session.scalar(select(Training.current_epoch).where(Training.id == training_id)) or 0


def cause_of_death(child: Child, memory_kill: bool = False, limited: bool = False) -> Failed:
    """Why a child ended without saying so: by its exit status, its output and what is known of the memory.

    Args:
        memory_kill: the system killed a process for memory meanwhile. limited: the child had TRAINING_MEMORY_LIMIT.
    """
    code, tail = child.exit_code(), plain(child.log_tail())
    lower = tail.lower()
    if "no space left on device" in lower:
        return Failed("disk_full", "no space left on device", tail)
    if any(part in lower for part in ("out of memory", "allocate memory", "bad_alloc")):
        return Failed("out_of_memory", "out of memory", tail)
    if memory_kill and code in {None, -signal.SIGKILL}:
        return Failed("out_of_memory", "the system's memory ran out, and it killed the process", tail)
    if limited and code in CRASHES:
        return Failed("out_of_memory", f"{signal.Signals(-code).name} at TRAINING_MEMORY_LIMIT", tail)
    if code is not None and code > 0:
        return Failed("code", f"the process ended with status {code}", tail)
    if code is None:
        return Failed("killed", "the process ended while the server was away", tail)
    if code == 0:
        return Failed("code", "the process ended without a result", tail)
    return Failed("killed", f"signal {-code}, {signal.Signals(-code).name}", tail)


def log_place(training_id: int, attempt: int) -> int:
    """Up to which byte of the attempt's worker.log its lines were told."""
    mine = (TrainingEvent.training_id == training_id) & (TrainingEvent.event == "training_log")
    newest = select(TrainingEvent.payload).where(mine).order_by(TrainingEvent.seq.desc()).limit(1)
    place = db.session.scalar(newest)
    return place["offset"] if place and place["attempt"] == attempt else 0
