"""Types of the figures of the machine. Sizes in bytes, rates in bytes per second, times in s."""

from datetime import datetime
from typing import NotRequired, TypedDict

from app.jobs.views import JobView
from app.jobs.workers import WorkerGpu


class Gpu(TypedDict):
    """An NVIDIA GPU; None: not reported by the card."""

    index: int
    name: str | None
    utilization: float | None  # percent
    memory_used: int | None
    memory_total: int | None
    temperature: float | None  # °C
    power: float | None  # W
    power_limit: float | None


class ProcessView(TypedDict):
    """The server's own process, or one of its children."""

    pid: int
    program: str
    training_id: int | None
    rss: int
    cpu: float  # percent of one core
    threads: int
    uptime: float


class DeviceUserView(TypedDict):
    id: int
    name: str | None


class DeviceView(TypedDict):
    """The CPU or a GPU, and who uses it."""

    device: str  # cpu, or the number of a GPU
    name: str | None
    trainings: list[DeviceUserView]
    measuring: bool


class QueryFigures(TypedDict):
    """Times in ms; None before the first query."""

    queries: int
    median: float | None
    p95: float | None
    longest: float | None


class DatabaseFigures(QueryFigures):
    kind: str
    size: int | None


class Host(TypedDict):
    name: str
    system: str
    python: str


class Cpu(TypedDict):
    percent: float
    each: list[float]
    count: int | None
    load: list[float]


class Memory(TypedDict):
    total: int
    used: int
    percent: float


class OwnProcess(TypedDict):
    rss: int
    threads: int


class Machine(TypedDict):
    """The figures that need nothing of the application; `disk` and `network` with their rates, if known."""

    host: Host
    cpu: Cpu
    memory: Memory
    process: OwnProcess
    disk: dict[str, float]
    network: dict[str, float]
    gpus: list[Gpu]
    processes: list[ProcessView]


class WorkerView(TypedDict):
    """A worker of DISPATCH=rq; `heartbeat`: s since the last one, by the database's clock."""

    name: str
    host: str
    devices: list[str]
    state: str  # idle, busy, draining, lost
    job_id: int | None
    heartbeat: float
    started_at: datetime
    cpu_count: int | None
    memory: int | None
    gpus: list[WorkerGpu]
    versions: dict[str, str | None]


class SystemFigures(Machine):
    """With the queue (trainings by status), the database, the users of devices, and running and waiting jobs."""

    version: str
    uptime: float
    queue: dict[str, int]
    database: DatabaseFigures
    devices: list[DeviceView]
    jobs: NotRequired[list[JobView]]
    workers: NotRequired[list[WorkerView]]
