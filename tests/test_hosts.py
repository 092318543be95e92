"""Host names that the server accepts, so that no other site's name can be pointed at it (DNS rebinding)."""

import socket

import pytest
import requests

from app.config import SettingError, load_settings
from app.hosts import AllowedHosts
from app.sockets import with_same_origin
from scripts.local_server import Server

EVIL = "evil.example:5000"
LOOPBACK = "127.0.0.1"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "LOCALHOST.",
        "app.localhost:1",
        "127.0.0.1:5000",
        "127.8.8.8",
        "[::1]:5000",
        None,
        "",
    ],
)
def test_loopback_and_no_name_are_always_accepted(host: str | None) -> None:
    assert AllowedHosts(LOOPBACK, ()).allows(host, LOOPBACK)


@pytest.mark.parametrize(
    "host",
    [
        EVIL,
        "evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "192.0.2.7",
        "localhost:x",
        "localhost,evil.example",
        "evil@localhost",
        "[::1",
        "[2001:db8::1]",
        "localhost/",
        " ",
        "\x00",
    ],
)
def test_unlisted_hosts_are_refused(host: str) -> None:
    assert not AllowedHosts(LOOPBACK, ()).allows(host, LOOPBACK)


def test_on_every_interface_addresses_and_the_hostname_are_accepted() -> None:
    for allowed in (AllowedHosts("0.0.0.0", ()), AllowedHosts("::", ())):
        for host in ("192.0.2.7:5000", "[2001:db8::1]:5000", socket.gethostname()):
            assert allowed.allows(host, LOOPBACK)
        assert not allowed.allows(EVIL, "0.0.0.0")
    assert AllowedHosts(LOOPBACK, ()).allows("192.0.2.7", "0.0.0.0"), "gunicorn --bind without HOST"
    assert AllowedHosts("192.0.2.7", ()).allows("192.0.2.7:5000", "192.0.2.7")


def test_the_setting_adds_names() -> None:
    names = load_settings({"ALLOWED_HOSTS": "YOLO.example.org., .example.net"}).ALLOWED_HOSTS
    allowed = AllowedHosts(LOOPBACK, names)
    for host in ("yolo.example.org:80", "example.net", "a.b.example.net", "localhost"):
        assert allowed.allows(host, LOOPBACK)
    for host in ("example.org", "a.yolo.example.org", "badexample.net"):
        assert not allowed.allows(host, LOOPBACK)
    assert AllowedHosts(LOOPBACK, load_settings({"ALLOWED_HOSTS": "*"}).ALLOWED_HOSTS).allows(EVIL, LOOPBACK)
    for wrong in ("https://example.org", "example.org:5000", "a b"):
        with pytest.raises(SettingError):
            load_settings({"ALLOWED_HOSTS": wrong})


def test_a_name_pointed_at_the_server_gets_nothing(server: Server) -> None:
    """Page, API, static file, download, deletion and socket, with such a page's Origin."""
    headers = {"Host": EVIL, "Origin": f"http://{EVIL}"}
    wrong = [
        server.get("/", headers=headers | {"Accept": "text/html"}),
        server.get("/health", headers=headers),
        server.get("/api/datasets", headers=headers),
        server.get("/static/js/lib/api.js", headers=headers),
        server.get("/no-such-page", headers=headers),
        server.get("/models/1/best.pt", headers=headers),
        server.delete("/api/datasets/1", headers=headers),
        server.post("/api/trainings", headers=headers, json={"dataset_id": 1}),
        requests.options(server.url + "/api/uploads", headers=headers, timeout=60),
        server.get("/socket.io/?EIO=4&transport=polling", headers=headers),
        server.get("/socket.io/?EIO=4&transport=websocket", headers=headers | UPGRADE),
    ]
    assert [answer.status_code for answer in wrong] == [421] * len(wrong)
    assert "text/html" in wrong[0].headers["Content-Type"]
    assert wrong[2].headers["Content-Type"] == "application/problem+json"
    for answer in wrong:
        assert "ALLOWED_HOSTS" in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert server.get("/api/datasets", headers={"Host": f"localhost:{server.port}"}).status_code == 200


def test_additional_origins_do_not_exclude_the_same_origin() -> None:
    allows = with_same_origin(["https://lab.example"])
    here = {"HTTP_HOST": "gpu.example:5000"}
    assert allows("https://lab.example", here)
    assert allows("http://gpu.example:5000", here)
    assert not allows("https://evil.example", here)
    assert not allows(None, here)
    assert (with_same_origin("*"), with_same_origin(None)) == ("*", None)


def test_the_short_name_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box.corp.example")
    hosts = AllowedHosts("0.0.0.0", ())
    for name in ("box", "box.local", "box.corp.example", "box:5000"):
        assert hosts.allows(name, "0.0.0.0"), name
    assert not hosts.allows("corp.example", "0.0.0.0")
