"""The answers with the figures of the machine and the log."""

from typing import TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length

from app.schemas.base import DateTime, Schema, between, one_of
from app.schemas.jobs import JobOut

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class DeviceUser(Schema):
    id = Integer()
    name = String(allow_none=True)


class DeviceOut(Schema):
    """A processor or a GPU, and who uses it."""

    device = String(metadata={"description": "cpu, or the number of a GPU."})
    name = String(allow_none=True)
    trainings = List(Nested(DeviceUser))
    measuring = Boolean(metadata={"description": "An estimate is being measured on the device."})


class ProcessOut(Schema):
    pid = Integer()
    program = String(metadata={"description": "web, or the child's: train, predict, validate, ..."})
    training_id = Integer(allow_none=True)
    rss = Integer(metadata={"description": "Bytes."})
    cpu = Float(metadata={"description": "Percent of one core."})
    threads = Integer()
    uptime = Float(metadata={"description": "s"})


class WorkerOut(Schema):
    """A process that runs jobs on a device of its own (DISPATCH=rq)."""

    name = String(metadata={"description": "As the `runner` of a job has it."})
    host = String()
    devices = List(String(), metadata={"description": "cpu, or GPUs as its host numbers them."})
    state = String(metadata={"description": "idle, busy, draining (no further job) or lost (no heartbeat for 60 s)"})
    job_id = Integer(allow_none=True)
    heartbeat = Float(metadata={"description": "s since the last one"})
    started_at = DateTime()
    cpu_count = Integer(allow_none=True)
    memory = Integer(allow_none=True, metadata={"description": "bytes"})
    gpus = List(Dict(), metadata={"description": "name; memory (bytes)"})
    versions = Dict(metadata={"description": "app, python, torch, ultralytics, rq"})


class SystemOut(Schema):
    """The machine and the queue; sizes in bytes, rates in bytes per second."""

    version = String()
    uptime = Float(metadata={"description": "s"})
    host = Dict(metadata={"description": "name, system, python"})
    cpu = Dict(metadata={"description": "percent, each (core), count, load"})
    memory = Dict()
    process = Dict()
    disk = Dict(metadata={"description": "total, used, free, percent; read and write per second"})
    network = Dict(metadata={"description": "received and sent per second; connections (Socket.IO)"})
    gpus = List(Dict(), metadata={"description": "utilization (%), memory_used, memory_total, temperature, power (W)"})
    queue = Dict(metadata={"description": "Runs by status."})
    database = Dict(metadata={"description": "kind, size, queries; median, p95 and longest of the newest 1,000 (ms)"})
    devices = List(Nested(DeviceOut))
    jobs = List(Nested(JobOut), metadata={"description": "What runs, then the first 50 that wait."})
    processes = List(Nested(ProcessOut))
    workers = List(Nested(WorkerOut), metadata={"description": "With DISPATCH=rq alone."})


class LogTailQuery(Schema):
    level = String(load_default="INFO", validate=one_of(LEVELS), metadata={"description": "At least this level."})
    search = String(load_default="", validate=Length(max=200))
    limit = Integer(load_default=200, validate=between(1, 1000))


class LogTailQueryValues(TypedDict):
    level: str
    search: str
    limit: int


class LogEntryOut(Schema):
    time = String(metadata={"description": "As the log has it, in the server's time zone."})
    level = String()
    logger = String()
    message = String()


class LogEntryOutValues(TypedDict):
    time: str
    level: str
    logger: str
    message: str


class LogTailOut(Schema):
    entries = List(Nested(LogEntryOut))
    complete = Boolean(metadata={"description": "Whether the whole file was read, or only its end."})


class LogTailOutValues(TypedDict):
    entries: list[LogEntryOutValues]
    complete: bool
