"""The client and the command line against a server that requires a login."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from werkzeug.serving import make_server

from app.access.secrets import owner_secret
from app.config import settings
from scripts.client.yolo_client import cli, login
from scripts.client.yolo_client.api import ApiError, Client
from tests.access.conftest import Headers


@pytest.fixture(scope="module")
def url(app: APIFlask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a token in the environment nor an instance folder below the present one."""
    monkeypatch.delenv("YOLO_TOKEN", raising=False)
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path / "instance"))


def role_of(client: Client) -> str:
    return client.request("GET", "/api/me").json()["role"]


def secret_of(headers: Headers, name: str) -> str:
    return headers[name]["Authorization"].split()[1]


def test_a_missing_token_error_explains_how_to_get_one(url: str) -> None:
    with pytest.raises(ApiError, match=r"^401: .*token"):
        role_of(Client(url))


def test_the_token_comes_from_an_argument_or_the_environment(
    url: str, headers: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert role_of(Client(url, token=secret_of(headers, "trainer"))) == "trainer"
    monkeypatch.setenv("YOLO_TOKEN", secret_of(headers, "viewer"))
    assert role_of(Client(url)) == "viewer"
    assert role_of(Client(url, token=secret_of(headers, "trainer"))) == "trainer", "what is given comes first"


def test_the_owner_token_is_read_on_the_servers_machine(
    url: str, app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = settings(app).INSTANCE_PATH
    monkeypatch.setenv("INSTANCE_PATH", str(instance))
    client = Client(url)
    assert role_of(client) == "admin"
    assert client.connection.headers()["Authorization"] == f"Bearer {owner_secret(instance)}", (
        "of uploads and the socket"
    )


def test_the_owner_token_is_sent_to_the_local_server_only(
    app: APIFlask, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine, or another user's program on the server's former port."""
    monkeypatch.setenv("INSTANCE_PATH", str(settings(app).INSTANCE_PATH))
    assert Client("http://yolo.example.org:5000").connection.login.token is None
    assert login.is_ours(int(url.rpartition(":")[2]))
    assert not login.is_ours(1), "no server listens there"
    monkeypatch.setattr(login.os, "geteuid", lambda: 12345)
    if login.os.getuid() != 0:  # root's programs are trusted
        assert Client(url).connection.login.token is None


def test_a_token_stays_with_its_server(url: str, headers: Headers) -> None:
    client = Client(url, token=secret_of(headers, "viewer"))
    elsewhere = client.connection.session.prepare_request(request_to("http://other.example/"))
    assert "Authorization" not in elsewhere.headers
    here = client.connection.session.prepare_request(request_to(url + "/api/me"))
    assert here.headers["Authorization"].startswith("Bearer ytp_")


def request_to(address: str) -> login.requests.Request:
    return login.requests.Request("GET", address)


def test_the_command_line_sends_it(
    url: str, headers: Headers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["yolo-client", "--url", url, *words])
        return cli.main(), *capsys.readouterr()

    code, _out, error = run("queue")
    assert (code, error[:4]) == (1, "401:")
    assert run("--token", secret_of(headers, "viewer"), "queue")[0] == 0
    monkeypatch.setenv("YOLO_TOKEN", secret_of(headers, "viewer"))
    assert run("queue")[0] == 0
    code, _out, error = run("stop", "999999")
    assert (code, error[:4]) == (1, "403:"), "a viewer's token"
    monkeypatch.setenv("YOLO_TOKEN", "ytp_wrong")
    assert run("queue")[2][:4] == "401:"
    assert run("watch", "1")[2][:4] == "401:", "of a live connection, too"
