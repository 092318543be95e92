"""Rate limits of expensive requests, by user."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app import create_app
from app.config import SettingError, load_settings
from app.database import upgrade_if_old
from app.rates import RateLimits
from scripts.client.yolo_client.api import Client
from scripts.local_server import ROOT, free_port, settings_for
from tests.conftest import close_database

LIMITS = {
    "UPLOADS": ["/api/datasets", "/api/uploads", "/api/datasets/import", "/api/models"],
    "TRAININGS": ["/api/trainings", *(f"/api/trainings/9/{name}" for name in ("resume", "retry", "extend", "clone"))],
    "METRICS": ["/api/trainings/9/metrics", "/api/trainings/compare?ids=9"],
    "TESTS": ["/api/tests", "/api/tests/videos", "/api/predictions"],
    "PREDICT": ["/api/models/9/predict", "/api/tests/frames"],
}
OPEN = {"AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK": "True"}
ALICE, BOB = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """Three of each kind per hour; nothing in its queue is started."""
    limits = {f"RATELIMIT_{name}": "3 per hour" for name in LIMITS}
    folder = tmp_path_factory.mktemp("rates")
    app = create_app("cli", settings_for(folder, HOST="0.0.0.0", SOCKETIO_ASYNC_MODE="threading", **OPEN, **limits))
    upgrade_if_old(app)
    yield app
    close_database(app)


@pytest.mark.parametrize("group", LIMITS)
def test_the_limit_of_a_kind_is_one_for_all_its_addresses(app: APIFlask, group: str) -> None:
    client, paths = app.test_client(), LIMITS[group] * 4
    method = "GET" if group == "METRICS" else "POST"
    answers = [client.open(path, method=method, environ_base=ALICE) for path in paths[:4]]
    assert 429 not in [answer.status_code for answer in answers[:3]]
    refused = answers[3]
    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")
    assert refused.json["status"] == 429
    assert f"RATELIMIT_{group}" in refused.json["detail"]
    assert 3000 < int(refused.headers["Retry-After"]) <= 3600
    assert client.open(paths[0], method=method, environ_base=BOB).status_code != 429


def test_other_requests_and_this_machine_are_not_limited(app: APIFlask) -> None:
    client = app.test_client()
    for _ in range(5):
        assert client.get("/api/trainings", environ_base=ALICE).status_code == 200
        assert client.post("/api/trainings", json={}).status_code == 422
    behind = {"X-Forwarded-For": "192.0.2.9"}  # a proxy on this machine forwards other clients
    answers = [client.post("/api/trainings", json={}, headers=behind).status_code for _ in range(4)]
    assert answers == [422, 422, 422, 429]
    assert client.post("/api/trainings", json={}, headers={"CF-Connecting-IP": "192.0.2.9"}).status_code == 429


def test_an_address_of_ipv6_is_a_network(app: APIFlask) -> None:
    client = app.test_client()

    def at(address: str) -> int:
        return client.post("/api/trainings", json={}, environ_base={"REMOTE_ADDR": address}).status_code

    assert [at(f"2001:db8::{number}") for number in range(4)] == [422, 422, 422, 429]
    assert at("2001:db8:0:1::1") == 422


def test_each_limited_operation_is_described(app: APIFlask) -> None:
    spec = app.test_client().get("/api/openapi.json").json
    described = [
        (path, method)
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
        if "RATELIMIT" in operation.get("responses", {}).get("429", {}).get("description", "")
    ]
    marked = [
        (rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if hasattr(app.view_functions[rule.endpoint], "rate_limit")
    ]
    described.remove(("/api/me/password", "put"))  # it only counts failures
    assert len(described) == len(marked) == 22


def test_it_can_be_switched_off_and_on(tmp_path: Path) -> None:
    for text, last in (("False", 422), ("True", 429)):
        limited = create_app("cli", settings_for(tmp_path, RATELIMIT_ENABLED=text, RATELIMIT_TRAININGS="2/minute"))
        client = limited.test_client()
        assert [client.post("/api/trainings", json={}).status_code for _ in range(3)] == [422, 422, last]
        close_database(limited)
    assert load_settings({"RATELIMIT_UPLOADS": ""}).RATELIMIT_UPLOADS == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UPLOADS", "10"),
        ("UPLOADS", "0 per minute"),
        ("METRICS", "-1/second"),
        ("TESTS", "10 per fortnight"),
        ("ENABLED", "maybe"),
        ("STORAGE_URI", "mongodb://x"),
        ("STORAGE_URI", "redis://localhost:no-port"),
    ],
)
def test_invalid_limits(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"RATELIMIT_{name}"):
        load_settings({f"RATELIMIT_{name}": text})


def test_a_server_that_limits_nobody_does_not_load_the_library(tmp_path: Path) -> None:
    """It imports asyncio, and takes nearly a tenth of a second."""
    script = (
        "import sys; from app import create_app; app = create_app('cli'); app.test_client().post('/api/trainings');"
        "sys.exit('limits' in sys.modules)"
    )
    environ = os.environ | settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading")
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environ, check=False).returncode == 0


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """The port of a temporary Redis server."""
    if (program := shutil.which("redis-server")) is None:
        pytest.skip("this machine has no redis-server")
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 180
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            break
        except OSError:
            time.sleep(0.02)
    yield port
    process.kill()
    process.wait()


def test_two_servers_count_together_in_redis(redis_port: int) -> None:
    first, second = (RateLimits(f"redis://127.0.0.1:{redis_port}/0") for _ in range(2))
    waits = [server.seconds_to_wait("2 per hour", "UPLOADS", "x") for server in (first, second, first)]
    assert waits[:2] == [0, 0]
    assert 3000 < waits[2] <= 3600


def test_a_redis_outage_stops_nobody_and_no_limit() -> None:
    limits = RateLimits(f"redis://127.0.0.1:{free_port()}/0")
    waits = [limits.seconds_to_wait("2 per hour", "UPLOADS", "x") for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] > 3000


def test_the_client_waits_and_resends_the_file(tmp_path: Path) -> None:
    lengths = []

    class Limited(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            lengths.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            first = len(lengths) == 1
            answer = b"{}" if first else b'{"dataset_id": 7}'
            self.send_response(429 if first else 201)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    (tmp_path / "a.zip").write_bytes(bytes(5000))
    with ThreadingHTTPServer(("127.0.0.1", 0), Limited) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_port}")
        assert client.upload(tmp_path / "a.zip", "Name") == 7
        server.shutdown()
    assert lengths[0] == lengths[1] > 5000
