"""A temporary PostgreSQL server for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.local_services import NotInstalled, new_database, postgres_programs, postgres_server

__all__ = ["new_database", "running_postgres"]


@contextmanager
def running_postgres() -> Iterator[str]:
    """One on a free loopback port; its address. If PostgreSQL is not installed, the test is skipped."""
    try:
        postgres_programs()
    except NotInstalled as error:
        pytest.skip(str(error))
    with postgres_server() as server:
        yield server.url
