"""Limits follow a person from wherever they come; attempts to log in are counted by address."""

from collections.abc import Iterator

import pytest
from apiflask import APIFlask

from tests.access.conftest import Headers
from tests.data import change_settings


@pytest.fixture
def limited(app: APIFlask) -> Iterator[None]:
    """As it is by itself where AUTH is required, with low limits."""
    before = app.extensions["settings"]
    change_settings(app, RATELIMIT_ENABLED=None, RATELIMIT_TRAININGS="2 per hour", RATELIMIT_LOGIN="3 per hour")
    yield
    app.extensions["settings"] = before


@pytest.mark.usefixtures("limited")
def test_each_person_has_their_own_measure(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()

    def start(name: str, address: str) -> int:
        answer = client.post("/api/trainings", json={}, headers=headers[name], environ_base={"REMOTE_ADDR": address})
        return answer.status_code

    assert [start("trainer", address) for address in ("192.0.2.1", "192.0.2.2", "127.0.0.1")] == [422, 422, 429]
    assert [start("another", "192.0.2.1") for _ in range(3)] == [422, 422, 429]
    assert [start("owner", "127.0.0.1") for _ in range(3)] == [422, 422, 429]
    assert [start("viewer", "192.0.2.1") for _ in range(3)] == [403] * 3


@pytest.mark.usefixtures("limited")
def test_passwords_are_not_tried_out(app: APIFlask) -> None:
    client, form = app.test_client(), {"name": "trainer", "password": "a guess of it"}

    def attempt(address: str) -> int:
        return client.post("/api/login", json=form, environ_base={"REMOTE_ADDR": address}).status_code

    assert [attempt("192.0.2.77") for _ in range(4)] == [401, 401, 401, 429]
    assert attempt("192.0.2.78") == 401
    form["password"] = "correct horse"
    assert attempt("192.0.2.77") == 429
