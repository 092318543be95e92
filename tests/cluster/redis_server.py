"""A Redis of our own, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts import local_services
from scripts.local_services import NotInstalled


class RedisServer(local_services.RedisServer):
    """One on a free loopback port, without persistence. If Redis is not installed, the test is skipped."""

    def start(self) -> "RedisServer":
        try:
            super().start()
        except NotInstalled as error:
            pytest.skip(str(error))
        return self


@contextmanager
def running_redis(folder: Path) -> Iterator[int]:
    """Its port."""
    server = RedisServer(folder)
    try:
        server.start()
        yield server.port
    finally:
        server.stop()
