"""The origin of a request behind proxies: only those of TRUSTED_PROXIES are trusted."""

from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.config import SettingError, load_settings
from app.proxies import MOST_WARNED, TrustedProxies
from scripts.local_server import settings_for
from tests.conftest import close_database

NETWORKS = load_settings({"TRUSTED_PROXIES": "127.0.0.1, ::1, 10.0.0.0/8"}).TRUSTED_PROXIES


def resolve_forwarded(address: str, **headers: str) -> tuple[str, str, str]:
    """Address, scheme and host as the application sees them."""
    got: dict[str, Any] = {}
    sent = {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    TrustedProxies(lambda environ, _start: got.update(environ), NETWORKS)(
        {"REMOTE_ADDR": address, "wsgi.url_scheme": "http", "HTTP_HOST": "inner:5000"} | sent, None
    )
    return got["REMOTE_ADDR"], got["wsgi.url_scheme"], got["HTTP_HOST"]


@pytest.mark.parametrize("address", ["203.0.113.5", "::2", "", "11.0.0.1", "not an address"])
def test_headers_of_an_untrusted_address_are_ignored(address: str) -> None:
    assert resolve_forwarded(address, For="192.0.2.7", Proto="https", Host="evil.example") == (
        address,
        "http",
        "inner:5000",
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.9.8.7"])
def test_headers_of_a_trusted_proxy_apply(address: str) -> None:
    sent = {"For": "192.0.2.7", "Proto": "HTTPS", "Host": "yolo.example.org"}
    assert resolve_forwarded(address, **sent) == ("192.0.2.7", "https", "yolo.example.org")


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1, 192.0.2.7", "192.0.2.7"),  # the first was sent by the client itself
        ("203.0.113.5, 192.0.2.7, 10.1.1.1", "192.0.2.7"),  # a chain of two
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),  # a client in the proxies' own network
        ("evil, 10.1.1.1", "10.1.1.1"),
        ("evil", "127.0.0.1"),
        (" , ,", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(sent: str, client: str) -> None:
    assert resolve_forwarded("127.0.0.1", For=sent)[0] == client


def test_each_proxy_of_a_chain_adds_a_value_or_passes_it_on() -> None:
    chain = {"For": "192.0.2.7, 10.1.1.1"}
    assert resolve_forwarded("127.0.0.1", Proto="http, https, http", **chain)[1] == "https"
    assert resolve_forwarded("127.0.0.1", Proto="https", **chain)[1] == "https"
    assert (
        resolve_forwarded("127.0.0.1", Proto="https, http", For="192.0.2.7")[1] == "http"
    )  # the first is the client's


@pytest.mark.parametrize("scheme", ["ftp", "", ",", "https://", "javascript"])
def test_an_invalid_scheme_changes_nothing(scheme: str) -> None:
    assert resolve_forwarded("127.0.0.1", For="192.0.2.7", Proto=scheme)[1] == "http"


@pytest.mark.parametrize("text", ["localhost", "10.0.0.0/33", "127.0.0.1 ::1", "*"])
def test_invalid_networks(text: str) -> None:
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        load_settings({"TRUSTED_PROXIES": text})


def test_the_host_that_a_proxy_names_is_checked(tmp_path: Path) -> None:
    app = create_app("cli", settings_for(tmp_path, TRUSTED_PROXIES="127.0.0.1", ALLOWED_HOSTS="yolo.example.org"))
    client = app.test_client()
    statuses = {}
    for host in ("yolo.example.org", "evil.example", "a b<>", "[::1", "yolo.example.org:99999999"):
        answer = client.get("/health", headers={"X-Forwarded-Host": host, "X-Forwarded-Proto": "https"})
        statuses[host] = answer.status_code
    assert statuses.pop("yolo.example.org") == 200
    assert set(statuses.values()) == {421}
    close_database(app)


def test_untrusted_headers_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Behind an unconfigured proxy all clients count as one address: the log warns, with few lines caused by
    strangers.
    """
    proxies = TrustedProxies(lambda environ, _start: environ["REMOTE_ADDR"], ())
    for number in (*[1] * 5, *range(2, 100)):
        environ = {"REMOTE_ADDR": f"192.0.2.{number}", "HTTP_X_FORWARDED_FOR": "198.51.100.1\nforged"}
        assert proxies(environ, None) == f"192.0.2.{number}"
    assert proxies({"REMOTE_ADDR": "203.0.113.9"}, None) == "203.0.113.9"
    assert len(caplog.messages) == MOST_WARNED
    assert caplog.messages[0].startswith("192.0.2.1 sends X-Forwarded-For and is not in TRUSTED_PROXIES")
    assert not [line for line in caplog.messages if "forged" in line]
