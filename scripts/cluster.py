"""Several processes of the platform on this machine, as on several: `make cluster`, for development and tests.

PostgreSQL, Redis, two web processes, three workers without a GPU, and nginx in front where it is installed; all on free
loopback ports, with data of their own in a temporary folder. It prints the address; Ctrl-C ends all of it and removes
the folder. AUTH=off in the environment lets everybody on this machine in without the link; other settings of the
environment hold, too.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.config import SETTINGS
from scripts.local_server import ROOT, free_port
from scripts.local_services import (
    NginxServer,
    NotInstalled,
    PostgresServer,
    RedisServer,
    new_database,
    nginx_program,
    postgres_programs,
    redis_program,
)
from scripts.processes import STOP_S, answers, end, is_running, kill, kill_below, wait_for

WEB, WORKERS = 2, 3
POLL_S = 0.5


@dataclass
class Part:
    """One program: its name, its process, and its address."""

    name: str
    pid: int
    address: str = ""

    def __str__(self) -> str:
        return f"  {self.name:<12} {self.pid:>8}  {self.address}"


class Cluster:
    """The whole cluster, below one folder.

    Args:
        folder: empty; for data, logs and nginx's files.
        port: of the public address; 0: a free one.

    Attributes:
        url: the public address, of nginx, or of the first web process without it.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.parts: list[Part] = []
        self.ends = contextlib.ExitStack()

    def start(self) -> None:
        """Start the programs in order. If one fails, `stop` ends those already started.

        Raises:
            NotInstalled: PostgreSQL or Redis is missing.
            RuntimeError: one of them does not answer.
        """
        postgres = PostgresServer()
        self.ends.callback(postgres.stop)
        postgres.start()
        database = new_database(postgres.url, "platform")
        self.parts.append(Part("PostgreSQL", postgres.pid, database))
        redis = RedisServer(self.folder)
        self.ends.callback(redis.stop)
        redis.start()
        assert redis.process is not None
        self.parts.append(Part("Redis", redis.process.pid, redis.url))
        shared = self.settings() | {"DATABASE_URL": database, "REDIS_URL": redis.url, "DISPATCH": "rq"}
        with_nginx = has_nginx()
        ports = [free_port() for _ in range(WEB)]
        if not with_nginx:
            ports[0] = self.port
        self.ends.callback(self.end_children)
        webs = [self.web(f"web {number}", shared, port) for number, port in enumerate(ports, 1)]
        workers = [self.worker(f"worker {number}", shared) for number in range(1, WORKERS + 1)]
        for port, process in zip(ports, webs, strict=True):
            wait_for(partial(answers, f"http://127.0.0.1:{port}/health"), [process], self.folder)
        wait_for(partial(has_workers, database), workers, self.folder)
        if with_nginx:
            nginx = NginxServer(self.folder, self.port, ports, log=True)
            self.ends.callback(nginx.stop)
            nginx.start()
            assert nginx.process is not None
            self.parts.append(Part("nginx", nginx.process.pid, self.url))

    def settings(self) -> dict[str, str]:
        """The environment's settings, but with folders below ours."""
        folders = {
            "DATA_ROOT": str(self.folder / "data"),
            "INSTANCE_PATH": str(self.folder / "instance"),
            "WEIGHTS_DIR": str(self.folder / "data" / "weights"),
            "BACKUP_DIR": str(self.folder / "data" / "backups"),
            "HOST": "127.0.0.1",
            "TRUSTED_PROXIES": "127.0.0.1" if has_nginx() else "",
            "RATELIMIT_STORAGE_URI": "memory://",
        }
        defaults = {setting.name: os.environ.get(setting.name, setting.default) for setting in SETTINGS}
        mode = os.environ.get("SOCKETIO_ASYNC_MODE", "threading")  # what the wiki recommends beside PostgreSQL
        return defaults | {"SOCKETIO_ASYNC_MODE": mode} | folders

    def web(self, name: str, shared: dict[str, str], port: int) -> subprocess.Popen[bytes]:
        process = self.program(name, ["run.py"], shared | {"PORT": str(port)}, f"http://127.0.0.1:{port}")
        self.ends.callback(end, process)
        return process

    def worker(self, name: str, shared: dict[str, str]) -> subprocess.Popen[bytes]:
        process = self.program(name, ["-m", "scripts.worker", "--cpu"], shared)
        self.ends.callback(kill, process)  # on TERM it would wait for its job
        return process

    def program(
        self, name: str, command: list[str], settings: dict[str, str], address: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C in the terminal reaches only us and we end them in
        order.
        """
        folder = self.folder / name.replace(" ", "-")
        folder.mkdir()
        with open(folder / "output.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=os.environ | settings | {"LOG_DIR": str(folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.parts.append(Part(name, process.pid, f"{address}  {folder}/output.log".strip()))
        return process

    def login_link(self) -> str:
        """The owner's one-time login link, which works through nginx, too; empty without authentication."""
        shared = self.settings()
        if shared["AUTH"] == "off":
            return ""
        database = next(part.address for part in self.parts if part.name == "PostgreSQL")
        environment = os.environ | shared | {"DATABASE_URL": database, "PORT": str(self.port)}
        command = [sys.executable, "-m", "app.link"]
        process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return process.stdout.strip()

    def ended(self) -> Iterator[Part]:
        """Each part that has ended since the last check; the others continue, as on separate machines."""
        for part in list(self.parts):
            if not is_running(part.pid):
                self.parts.remove(part)
                yield part

    def end_children(self) -> None:
        """End the jobs, which outlive the web processes: their command lines contain our folder."""
        psutil.wait_procs(kill_below(self.folder, "app.worker.run"), STOP_S)

    def stop(self) -> None:
        """End everything that was started, in reverse order."""
        self.ends.close()


def has_nginx() -> bool:
    try:
        return bool(nginx_program())
    except NotInstalled:
        return False


def has_workers(database: str) -> bool:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM worker").fetchone()
    return row is not None and int(row[0]) >= WORKERS


def missing() -> list[NotInstalled]:
    """The required programs that are missing."""
    errors = []
    programs: tuple[Callable[[], Any], ...] = (postgres_programs, redis_program)
    for find in programs:
        try:
            find()
        except NotInstalled as error:
            errors.append(error)
    return errors


def refusal(programs: list[NotInstalled]) -> str:
    names = " and ".join(program.name for program in programs)
    packages = " ".join(program.package for program in programs)
    verb = "is" if len(programs) == 1 else "are"
    return (
        f"make cluster needs {names}, which {verb} not installed.\n"
        f"On Debian and Ubuntu: sudo apt-get install {packages}"
    )


def show(cluster: Cluster) -> None:
    print(f"  {'program':<12} {'process':>8}  address, log")
    print(*cluster.parts, sep="\n")
    print(f"  data, until it ends: {cluster.folder}")
    if not has_nginx():
        print("  nginx is not installed: each web process is asked by itself.")
    print(f"Open {cluster.login_link() or cluster.url}\nCtrl-C ends all of it.", flush=True)


def serve(cluster: Cluster) -> None:
    """Run until Ctrl-C; reports each part that ends."""
    while True:
        for part in cluster.ended():
            print(f"{part.name} ({part.pid}) has ended.", flush=True)
        time.sleep(POLL_S)


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="of the address to open; a free one by default")
    arguments = parser.parse_args()
    if programs := missing():
        print(refusal(programs), file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    with tempfile.TemporaryDirectory(prefix="yolo-cluster-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder), arguments.port)
        try:
            cluster.start()
            show(cluster)
            serve(cluster)
        except KeyboardInterrupt:
            print("Ending …", flush=True)
            return 0
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            print(f"make cluster failed: {error}", file=sys.stderr)
            return 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # nothing may be left running
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
