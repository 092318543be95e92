"""A page of another site can neither change anything through a logged-in browser, nor cause work on the server."""

from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.extensions import socketio
from tests.access.conftest import Headers

OTHER_ORIGIN, SAME_ORIGIN = {"Origin": "https://evil.example"}, {"Origin": "http://localhost"}
CHANGES = [
    ({}, 403),  # no header identifies the page
    ({"Sec-Fetch-Site": "same-origin"}, 201),
    (SAME_ORIGIN, 201),
    (OTHER_ORIGIN, 403),
    (OTHER_ORIGIN | {"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "null"}, 403),  # a sandboxed frame, a file
    ({"Origin": "http://localhost.evil.example"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),  # another port or name of the same site
]
READS = [({}, 200), ({"Sec-Fetch-Site": "same-origin"}, 200), ({"Sec-Fetch-Site": "none"}, 200)] + [
    ({"Sec-Fetch-Site": site}, 403) for site in ("cross-site", "same-site")
]
READS.append((OTHER_ORIGIN, 403))  # Sec-Fetch-Site is only sent to HTTPS and to loopback


@pytest.fixture(scope="module")
def browsers() -> dict[str, FlaskClient]:
    return {}


@pytest.fixture
def browser(browsers: dict[str, FlaskClient], log_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """One login for all tests of this module."""
    if not browsers:
        browsers["browser"] = log_in("trainer")
    return browsers["browser"]


@pytest.mark.parametrize(("sent", "status"), CHANGES, ids=str)
def test_session_writes_require_the_same_origin(browser: FlaskClient, sent: dict, status: int) -> None:
    answer = browser.post("/api/tokens", json={"name": "x", "role": "viewer"}, headers=sent)
    assert answer.status_code == status
    if status == 403:
        assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(("sent", "status"), READS, ids=str)
def test_another_sites_page_starts_no_heavy_get(browser: FlaskClient, sent: dict, status: int) -> None:
    assert browser.get("/api/datasets", headers=sent).status_code == status


def test_a_link_on_another_site_opens_our_page(browser: FlaskClient) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    assert browser.get("/datasets", headers=sent).status_code == 200


def test_a_token_needs_no_page(app: APIFlask, headers: Headers) -> None:
    """No browser sends it automatically. A foreign Origin is refused nevertheless."""
    client, form = app.test_client(), {"name": "x", "role": "viewer"}
    sent = headers["trainer"]
    assert client.post("/api/tokens", json=form, headers=sent).status_code == 201
    assert client.get("/api/datasets", headers=sent | {"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert client.post("/api/tokens", json=form, headers=sent | OTHER_ORIGIN).status_code == 403


def test_a_token_in_the_address_is_none(app: APIFlask, headers: Headers) -> None:
    secret = headers["trainer"]["Authorization"].split()[1]
    client = app.test_client()
    for name in ("token", "access_token", "key"):
        assert client.get(f"/api/me?{name}={secret}").status_code == 401


def test_a_foreign_page_gets_no_socket_and_no_login(app: APIFlask, browser: FlaskClient) -> None:
    handshake = "/socket.io/?EIO=4&transport=polling"
    assert browser.get(handshake, headers=SAME_ORIGIN).status_code == 200
    assert browser.get(handshake, headers=OTHER_ORIGIN).status_code == 400
    assert browser.get(handshake, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 401, "an <img> has no Origin"
    assert browser.get(handshake + "&j=0", headers=SAME_ORIGIN).status_code == 400, (
        "JSONP is readable for scripts of any site"
    )
    form = {"name": "trainer", "password": "correct horse"}
    assert app.test_client().post("/api/login", json=form, headers=OTHER_ORIGIN).status_code == 403
    assert browser.post("/api/logout", headers=OTHER_ORIGIN).status_code == 403
    assert socketio.test_client(app, flask_test_client=browser).is_connected()
