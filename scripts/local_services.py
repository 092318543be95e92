"""Our own PostgreSQL, Redis and nginx on free loopback ports, for `make cluster` and tests. Nothing is kept
after them.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from scripts.local_server import ROOT, free_port

ANSWER_S = 60  # until a started program answers


class NotInstalled(Exception):
    """A required program is not installed; `package` is its name in Debian and Ubuntu."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(f"{name} is not installed")
        self.name, self.package = name, package


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens on the port.

    Raises:
        RuntimeError: the process ended, or a minute passed.
    """
    end = time.monotonic() + ANSWER_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"no answer of {process.args}; exit status {process.poll()}")


class RedisServer:
    """A Redis server without persistence.

    Args:
        folder: its working folder.

    Raises:
        NotInstalled: `start` finds no redis-server.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder))
        self.process = subprocess.Popen([redis_program(), *options], stdout=subprocess.DEVNULL, start_new_session=True)
        wait_for_port(self.port, self.process)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def redis_program() -> str:
    """Raises NotInstalled."""
    if (program := shutil.which("redis-server")) is None:
        raise NotInstalled("Redis", "redis-server")
    return program


def postgres_programs() -> Path:
    """The folder of the newest version's initdb, which Debian does not put on the PATH.

    Raises:
        NotInstalled: there is none.
    """
    if folders := sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name)):
        return folders[-1]
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    raise NotInstalled("PostgreSQL", "postgresql")


class PostgresServer:
    """A server in a temporary folder; root runs it as the user postgres, since PostgreSQL refuses root.

    Args:
        settings: in addition to ours, such as `max_connections=300`.

    Attributes:
        url: of its database `postgres`.
    """

    def __init__(self, *settings: str) -> None:
        self.programs, self.port, self.settings = postgres_programs(), free_port(), settings
        self.url = f"postgresql://yolo@127.0.0.1:{self.port}/postgres"
        self.folder = tempfile.TemporaryDirectory(prefix="postgres-")

    def start(self) -> "PostgresServer":
        if os.geteuid() == 0:
            shutil.chown(self.folder.name, "postgres")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        options += "".join(f" -c {setting}" for setting in self.settings)
        self.run("initdb", "-A", "trust", "-U", "yolo", "--no-sync")
        self.run("pg_ctl", "-w", "-o", options, "-l", f"{self.folder.name}/log", "start")
        return self

    def run(self, program: str, *arguments: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*user, str(self.programs / program), "-D", f"{self.folder.name}/db", *arguments]
        subprocess.run(command, cwd=self.folder.name, check=True, capture_output=True)

    @property
    def pid(self) -> int:
        return int((Path(self.folder.name) / "db" / "postmaster.pid").read_text().splitlines()[0])

    def stop(self) -> None:
        try:
            if (Path(self.folder.name) / "db" / "postmaster.pid").exists():  # its start may have been interrupted
                self.run("pg_ctl", "-w", "-m", "immediate", "stop")
        finally:
            self.folder.cleanup()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.stop()


def new_database(server: str, name: str) -> str:
    """Create an empty database on this server; returns its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return server.rsplit("/", 1)[0] + f"/{name}"


class NginxServer:
    """nginx with deploy/nginx.conf in front of web processes of this machine, its folders below `folder`.

    Args:
        behind: ports of the web processes.
        log: whether each request is logged in `folder`/access.log, with the process that answered.

    Raises:
        NotInstalled: `start` finds no nginx.
    """

    def __init__(self, folder: Path, port: int, behind: Iterable[int], log: bool = False) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        self.config = folder / "nginx.conf"
        self.config.write_text(adapted(folder, port, behind, log))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "NginxServer":
        options = f"daemon off; pid {self.folder}/nginx.pid;"
        command = [nginx_program(), "-c", str(self.config), "-e", str(self.folder / "nginx.log"), "-g", options]
        self.process = subprocess.Popen(command, start_new_session=True)
        wait_for_port(self.port, self.process)
        return self

    def stop(self) -> None:
        """End the master gracefully, so that it ends its workers, which have connections of their own."""
        if self.process is None or self.process.poll() is not None:
            return
        children = psutil.Process(self.process.pid).children()
        self.process.terminate()
        self.process.wait(20)
        psutil.wait_procs(children, 10)

    def __enter__(self) -> "NginxServer":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()


def nginx_program() -> str:
    """Raises NotInstalled. On Debian it is only on root's PATH."""
    if (program := shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")) is None:
        raise NotInstalled("nginx", "nginx")
    return program


def adapted(folder: Path, port: int, behind: Iterable[int], log: bool) -> str:
    """deploy/nginx.conf for this machine: only addresses and folders are changed."""
    servers = " ".join(f"server 127.0.0.1:{number};" for number in behind)
    directives = [f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    line = "$request_method $request_uri $status $upstream_addr"
    changes = {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "server 127.0.0.1:5000;": servers,
        "worker_processes auto": "worker_processes 1",
        "http {\n": "http {\n" + "".join(f"    {directive}\n" for directive in directives),
    }
    if os.geteuid() == 0:  # its workers would otherwise run as a user without access to our folder
        changes["worker_processes 1"] = "user root; worker_processes 1"
    if log:
        changes["access_log off;"] = f'log_format web "{line}"; access_log {folder}/access.log web;'
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError(f"deploy/nginx.conf has no {old!r}")
        text = text.replace(old, new, 1)
    return text
