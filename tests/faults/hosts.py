"""Hosts on one machine: each has its own network, process numbers, name and temporary folder, and is cut off, frozen or
killed as a whole. PostgreSQL, Redis, two web processes and three workers have one each; all share the data folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from scripts.local_server import ROOT, Server, settings_for
from scripts.local_services import NotInstalled, postgres_programs, redis_program
from scripts.processes import kill_below
from tests.faults.tools import small_disk, wait_until

WORKERS, WEB = ("w1", "w2", "w3"), ("web1", "web2")
PORT = 5000
FREE = "SELECT count(*) FROM worker WHERE state = 'idle' AND heartbeat_at > timezone('utc', now()) - interval '10 s'"
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


class Network:
    """A bridge of this machine, to which hosts are connected.

    Attributes:
        address: of this machine on it.
    """

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name, self.prefix = f"yf{os.getpid() % 100_000}", f"10.213.{number}"
        self.address = f"{self.prefix}.1"
        self.ends = ExitStack()

    def __enter__(self) -> "Network":
        """Skips the test if this machine does not permit it."""
        if os.geteuid() != 0:
            pytest.skip("hosts of our own need root, for their network namespaces")
        try:
            ip("link", "add", self.name, "type", "bridge")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network of our own can be made here: {getattr(error, 'stderr', b'') or error!r}")
        self.ends.callback(ip, "link", "delete", self.name)
        ip("address", "add", f"{self.address}/24", "dev", self.name)
        ip("link", "set", self.name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()


class Host:
    """A host, until `stop`.

    Args:
        folder: its own; with `tmp`, its temporary folder, on a small disk.
        number: the last part of its address.
    """

    def __init__(self, network: Network, name: str, number: int, folder: Path) -> None:
        self.network, self.name, self.folder = network, name, folder
        self.address = f"{network.prefix}.{number}"
        self.namespace, self.link = f"{network.name}{name}", f"v{number}{network.name}"[:15]
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self.tmp = folder / "tmp"
        self.ends = ExitStack()
        self.ends.enter_context(small_disk(self.tmp, "64m"))  # before it boots, since it sees only earlier mounts
        self.connect()
        self.boot()

    def connect(self) -> None:
        ip("netns", "add", self.namespace)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        ip("link", "set", self.link, "master", self.network.name, "up")
        ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self.namespace, "link", "set", device, "up")

    def boot(self) -> None:
        """Start its first process; killing it ends all others."""
        spaces = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
        begin = f"hostname {self.name}; exec sleep infinity"
        command = ["ip", "netns", "exec", self.namespace, *spaces, "sh", "-c", begin]
        self.machine = subprocess.Popen(command)
        started = wait_until(lambda: psutil.Process(self.machine.pid).children(), 20, f"{self.name} has started", 0.02)
        self.first = started[0]
        wait_until(lambda: self.first.name() == "sleep", 20, f"{self.name} has its name", 0.02)

    def start(self, program: str, command: Sequence[str], settings: Mapping[str, str] | None = None) -> None:
        """Start a program on this host, with its output in `<program>.log`."""
        enter = ["nsenter", "--target", str(self.first.pid), "--net", "--uts", "--pid", "--mount", f"--wd={ROOT}"]
        environment = os.environ | {"TMPDIR": str(self.tmp), "OMP_NUM_THREADS": "1"} | dict(settings or {})
        with open(self.folder / f"{program}.log", "ab") as log:
            self.programs[program] = subprocess.Popen([*enter, *command], env=environment, stdout=log, stderr=log)

    def run(self, *command: str) -> None:
        """Run a command on this host."""
        self.start("command", command)
        assert self.programs.pop("command").wait(120) == 0, self.log("command")

    def process(self, program: str) -> psutil.Process:
        """The program's process, with this machine's process id."""
        entered = psutil.Process(self.programs[program].pid)
        return wait_until(entered.children, 20, f"{program} runs on {self.name}", 0.02)[0]

    def end_program(self, program: str) -> None:
        """kill -9 of it and of its serving processes; other processes that it has started continue."""
        master = self.process(program)
        serving = [child for child in master.children() if child.cmdline() == master.cmdline()]
        for process in (master, *serving):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.programs[program].wait(30)

    def processes(self) -> list[psutil.Process]:
        """All processes of this host except its first one."""
        if self.machine.poll() is not None:
            return []
        space = os.readlink(f"/proc/{self.first.pid}/ns/pid")
        return [item for item in members(space) if item.pid != self.first.pid]

    def children(self) -> list[psutil.Process]:
        """The processes of jobs on this host."""
        children = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile, or was not reaped
                if "app.worker.run" in process.cmdline():
                    children.append(process)
        return children

    def signal(self, number: int) -> None:
        """Send it to all of its processes, and to the nsenter behind each program, which stops when the
        program does.
        """
        entered = [psutil.Process(program.pid) for program in self.programs.values() if program.poll() is None]
        for process in (*self.processes(), *entered):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """As if its power were cut."""
        self.first.kill()
        self.machine.wait(30)
        for program in self.programs.values():
            program.wait(30)
        self.programs.clear()

    def cut(self) -> None:
        ip("link", "set", self.link, "down")

    def mend(self) -> None:
        ip("link", "set", self.link, "up")

    def log(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        with suppress(psutil.NoSuchProcess, subprocess.TimeoutExpired):
            self.kill()
        ip("netns", "delete", self.namespace)
        self.ends.close()


def members(space: str) -> Iterator[psutil.Process]:
    """The processes of this process namespace, whoever started them."""
    for process in psutil.process_iter():
        try:
            if os.readlink(f"/proc/{process.pid}/ns/pid") == space:
                yield process
        except OSError:
            continue


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Platform(Server):
    """The platform on these hosts; helpers for a single server use the web process at `url`."""

    dataset_id: int  # of a small one, for trainings
    epoch_seconds: float  # of an epoch on it

    def __init__(self, folder: Path, network: Network) -> None:
        super().__init__(folder, "threading")
        self.ends, self.hosts = ExitStack(), dict[str, Host]()
        self.postgres_data = Path(self.ends.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        self.clocks: dict[str, str] = {}  # by host: the error of its clock, in libfaketime's format
        for number, name in enumerate(("database", "redis", *WEB, *WORKERS), 2):
            self.hosts[name] = Host(network, name, number, folder / name)
            self.ends.callback(self.hosts[name].stop)
        self.database = f"postgresql://yolo@{self.hosts['database'].address}:5432/postgres"
        self.settings, self.url = self.common_settings(), self.address(WEB[0])

    def common_settings(self) -> dict[str, str]:
        return settings_for(
            self.folder,
            DATABASE_URL=self.database,
            REDIS_URL=f"redis://{self.hosts['redis'].address}:6379/0",
            DISPATCH="rq",
            SOCKETIO_ASYNC_MODE="threading",
            HOST="0.0.0.0",
            PORT=str(PORT),
            AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK="True",
            RATELIMIT_ENABLED="False",
        )

    # Starting.

    def start(self) -> "Platform":
        self.start_postgres()
        self.start_redis()
        for name in WEB:
            self.start_web(name)
        for name in WORKERS:
            self.start_worker(name)
        self.wait_until_ready()
        return self

    def start_postgres(self) -> None:
        host, programs, data = self.hosts["database"], postgres_programs(), self.postgres_data
        shutil.chown(data, "postgres")  # it refuses root
        as_user = ("runuser", "-u", "postgres", "--")
        host.run(*as_user, str(programs / "initdb"), "-A", "trust", "-U", "yolo", "--no-sync", "-D", str(data))
        with open(data / "pg_hba.conf", "a", encoding="ascii") as file:
            file.write("host all all 10.213.0.0/16 trust\n")
        with open(data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write("listen_addresses='*'\nunix_socket_directories=''\nfsync=off\nport=5432\n")
        host.start("postgres", [*as_user, str(programs / "postgres"), "-D", str(data)])
        wait_until(lambda: self.rows("SELECT 1"), 60, "PostgreSQL answers")

    def restart_postgres(self) -> None:
        host = self.hosts["database"]
        host.process("postgres").children()[0].send_signal(signal.SIGINT)  # the child of runuser; pg_ctl's "fast"
        host.programs.pop("postgres").wait(60)
        as_user = ("runuser", "-u", "postgres", "--")
        host.start("postgres", [*as_user, str(postgres_programs() / "postgres"), "-D", str(self.postgres_data)])

    def start_redis(self) -> None:
        host = self.hosts["redis"]
        options = ("--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", str(host.folder))
        host.start("redis", [redis_program(), *options])

    def start_web(self, name: str) -> None:
        host = self.hosts[name]
        host.start("web", [sys.executable, "run.py"], self.settings | {"LOG_DIR": str(host.folder / "logs")})

    def start_worker(self, name: str) -> None:
        host, wrong = self.hosts[name], {}
        if name in self.clocks:
            # By a file, since processes of jobs get few environment variables, LD_PRELOAD and HOME among them. This
            # changes the monotonic clock, too, which is never compared between hosts: libfaketime cannot exclude it
            # without breaking sleep in forked processes.
            (host.folder / ".faketimerc").write_text(self.clocks[name])
            wrong = {"LD_PRELOAD": str(FAKETIME), "HOME": str(host.folder)}
        settings = {"LOG_DIR": str(host.tmp / "logs")} | wrong
        host.start("worker", [sys.executable, "-m", "scripts.worker", "--cpu"], self.settings | settings)

    def wait_until_ready(self, seconds: float = 180) -> None:
        """Everything runs, and all workers are idle."""
        for name in WEB:
            wait_until(lambda name=name: self.answers(name), seconds, f"{name} answers", 0.2)
        wait_until(lambda: self.rows(FREE) == [(len(WORKERS),)], seconds, "the workers are free", 0.5)

    def heal(self) -> None:
        """Restart what a fault has ended, and wait until everything is as before."""
        for host in self.hosts.values():
            if host.machine.poll() is not None:
                host.boot()
        for name in WEB:
            if self.hosts[name].programs.get("web") is None or self.hosts[name].programs["web"].poll() is not None:
                self.start_web(name)
        for name in WORKERS:
            worker = self.hosts[name].programs.get("worker")
            if worker is None or worker.poll() is not None:
                self.start_worker(name)
        self.url = self.address(WEB[0])
        self.wait_until_ready()

    def end(self) -> None:
        self.ends.close()
        kill_below(self.folder)

    # State.

    def address(self, name: str) -> str:
        return f"http://{self.hosts[name].address}:{PORT}"

    def answers(self, name: str) -> bool:
        try:
            return requests.get(self.address(name) + "/health", timeout=5).ok
        except requests.RequestException:
            return False

    def leader(self) -> str:
        """The leading web process."""
        text = (self.folder / "data" / "leader.json").read_text()
        return next(name for name in WEB if f'"{name}"' in text)

    def rows(self, statement: str) -> list[Any]:
        """Rows of the database; [] while it is unavailable."""
        try:
            with psycopg.connect(self.database, connect_timeout=5) as connection:
                return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]
        except psycopg.OperationalError:
            return []

    def job(self, training_id: int) -> tuple[int, str, str | None]:
        """(attempt, status, host of the worker that runs it) of the newest job of a training."""
        query = "SELECT attempt, status, runner FROM job WHERE kind = 'training' AND subject_id = {} ORDER BY id DESC"
        rows = wait_until(lambda: self.rows(query.format(training_id)), 60, "the database answers")
        attempt, status, runner = rows[0]
        host = next((name for name in WORKERS if runner and f'"{name}-cpu"' in runner), None)
        return attempt, status, host

    def horse(self, name: str) -> psutil.Process:
        """The work-horse of a host's worker."""
        worker = self.hosts[name].process("worker")
        return wait_until(worker.children, 30, f"{name} has a work-horse", 0.05)[0]


@contextmanager
def running_platform(folder: Path) -> Iterator[Platform]:
    for find_program in (postgres_programs, redis_program):
        try:
            find_program()
        except NotInstalled as error:
            pytest.skip(str(error))
    with Network() as network:
        platform = Platform(folder, network)
        try:
            yield platform.start()
        except BaseException:
            for name, host in platform.hosts.items():
                for program in host.programs:
                    print(f"{name}, {program}:\n{host.log(program)}")
            raise
        finally:
            platform.end()
