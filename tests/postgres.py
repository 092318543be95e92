"""A PostgreSQL server of our own, for tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from scripts.local_server import free_port


@contextmanager
def running_postgres() -> Iterator[str]:
    """One on a free loopback port; its address. Without PostgreSQL here, the test is skipped."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("PostgreSQL is not installed")
    as_root = os.geteuid() == 0  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if as_root:
            shutil.chown(folder, "postgres")

        def run(program: str, *arguments: str) -> None:
            user = ["runuser", "-u", "postgres", "--"] if as_root else []
            command = [*user, str(programs[-1] / program), "-D", f"{folder}/db", *arguments]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)

        port = free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("initdb", "-A", "trust", "-U", "yolo", "--no-sync")
        run("pg_ctl", "-w", "-o", options, "-l", f"{folder}/log", "start")
        try:
            yield f"postgresql://yolo@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def new_database(server: str, name: str) -> str:
    """An empty database on this server; its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return server.rsplit("/", 1)[0] + f"/{name}"
