"""Rate limits are counted per user from any address; login attempts are counted per address."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import sleep

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.access import passwords
from tests.access.conftest import PASSWORD, Headers
from tests.data import change_settings


@pytest.fixture
def limited(app: APIFlask) -> Iterator[None]:
    """The defaults with AUTH required, with low limits."""
    before = app.extensions["settings"]
    change_settings(app, RATELIMIT_ENABLED=None, RATELIMIT_TRAININGS="2 per hour", RATELIMIT_LOGIN="3 per hour")
    yield
    app.extensions["settings"] = before


@pytest.mark.usefixtures("limited")
def test_rates_are_counted_per_user(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()

    def start(name: str, address: str) -> int:
        answer = client.post("/api/trainings", json={}, headers=headers[name], environ_base={"REMOTE_ADDR": address})
        return answer.status_code

    assert [start("trainer", address) for address in ("192.0.2.1", "192.0.2.2", "127.0.0.1")] == [422, 422, 429]
    assert [start("another", "192.0.2.1") for _ in range(3)] == [422, 422, 429]
    assert [start("owner", "127.0.0.1") for _ in range(3)] == [422, 422, 429]
    assert [start("viewer", "192.0.2.1") for _ in range(3)] == [403] * 3


@pytest.mark.usefixtures("limited")
def test_password_guesses_are_limited(app: APIFlask) -> None:
    client, form = app.test_client(), {"name": "trainer", "password": "a guess of it"}

    def attempt(address: str) -> int:
        return client.post("/api/login", json=form, environ_base={"REMOTE_ADDR": address}).status_code

    assert [attempt("192.0.2.77") for _ in range(4)] == [401, 401, 401, 429]
    assert attempt("192.0.2.78") == 401
    form["password"] = "correct horse"
    assert attempt("192.0.2.77") == 429


@pytest.mark.usefixtures("limited")
def test_logins_are_counted_where_nothing_else_is(app: APIFlask) -> None:
    change_settings(app, RATELIMIT_ENABLED=False)
    client, form = app.test_client(), {"token": "a guess"}
    statuses = [
        client.post("/api/login", json=form, environ_base={"REMOTE_ADDR": "192.0.2.90"}).status_code for _ in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_many_addresses_guess_no_faster_than_one_and_lock_nobody_out(
    app: APIFlask, headers: Headers, limited: None
) -> None:
    """A returning browser is not affected; another account and an unknown name have separate counts."""
    change_settings(app, RATELIMIT_PASSWORDS="3 per hour")
    count = iter(range(1, 250))

    def attempt(client: FlaskClient, name: str, password: str) -> int:
        at = {"REMOTE_ADDR": f"198.51.100.{next(count)}"}
        return client.post("/api/login", json={"name": name, "password": password}, environ_base=at).status_code

    stranger, returning = app.test_client(), app.test_client()
    assert attempt(returning, "another", PASSWORD) == 200
    assert [attempt(stranger, "another", "wrong") for _ in range(3)] == [401] * 3
    refused = stranger.post("/api/login", json={"name": "ANOTHER", "password": "wrong"})
    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert attempt(stranger, "another", PASSWORD) == 429
    assert attempt(returning, "another", PASSWORD) == 200
    assert [attempt(returning, "another", "wrong") for _ in range(4)] == [401, 401, 401, 429]
    assert [attempt(stranger, "no such name", "wrong") for _ in range(4)] == [401, 401, 401, 429]
    assert attempt(app.test_client(), "trainer", PASSWORD) == 200
    stranger.set_cookie(f"{app.extensions['access'].cookie}_known", "forged.value")
    assert attempt(stranger, "another", PASSWORD) == 429


def test_more_passwords_at_once_than_memory_is_for(app: APIFlask, headers: Headers) -> None:
    """Each check needs 64 MB: two run at a time, some wait, and the others are refused temporarily."""
    form, client = {"name": "viewer", "password": PASSWORD}, app.test_client()
    for _ in range(passwords.IN_LINE):
        assert passwords.line.acquire()
    try:
        refused = client.post("/api/login", json=form)
        assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get("/api/me", headers=headers["viewer"]).status_code == 200
    finally:
        for _ in range(passwords.IN_LINE):
            passwords.line.release()
    assert client.post("/api/login", json=form).status_code == 200


def test_strangers_do_not_block_a_returning_browser(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait: returning browsers have a separate queue, which is served first."""
    form, returning = {"name": "viewer", "password": PASSWORD}, app.test_client()
    assert returning.post("/api/login", json=form).status_code == 200
    for _ in range(passwords.IN_LINE):
        assert passwords.line.acquire()
    try:
        assert app.test_client().post("/api/login", json=form).status_code == 503
        assert returning.post("/api/login", json=form).status_code == 200
    finally:
        for _ in range(passwords.IN_LINE):
            passwords.line.release()
    monkeypatch.setattr(passwords, "WAIT_S", 0.0)
    assert passwords.trusted_line.acquire()  # one is waiting
    try:
        assert app.test_client().post("/api/login", json=form).status_code == 503
    finally:
        passwords.trusted_line.release()
    assert app.test_client().post("/api/login", json=form).status_code == 200


def test_two_passwords_are_checked_at_a_time(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, lock = [0], [0], Lock()

    def check(_stored: str | None, _password: str) -> bool:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        sleep(0.02)
        with lock:
            now[0] -= 1
        return True

    monkeypatch.setattr(passwords, "check", check)
    with ThreadPoolExecutor(passwords.IN_LINE) as pool:
        assert all(pool.map(lambda _: passwords.fits("kept", "password"), range(passwords.IN_LINE)))
    assert most[0] == passwords.AT_ONCE
