"""The user of a socket's peer, from the kernel and from its tables."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from app.access import peer

PAIRS = [
    ("127.0.0.1", "127.0.0.1"),
    ("::1", "::1"),
    ("127.0.0.1", "::"),
    ("::ffff:127.0.0.1", "127.0.0.1"),
]  # the client's destination, and the server's listening address


@pytest.fixture(params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's socket and the server's end of it."""
    target, bound = request.param
    families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in (target, bound)]
    with socket.socket(families[1]) as listener, socket.socket(families[0]) as client:
        try:
            listener.bind((bound, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        listener.listen()
        client.connect((target, listener.getsockname()[1]))
        accepted, _ = listener.accept()
        with accepted:
            yield client, accepted


@pytest.mark.parametrize("lookup", [peer.ask_kernel, peer.read_tables])
def test_both_ways_name_the_user_of_an_open_socket(pair: tuple[socket.socket, socket.socket], lookup: object) -> None:
    _client, accepted = pair
    ends = peer.end(accepted.getpeername()), peer.end(accepted.getsockname())
    try:
        assert lookup(*ends) == os.geteuid()  # type: ignore[operator]
    except OSError:
        assert lookup is peer.ask_kernel, "the tables are everywhere"
        pytest.skip("this kernel has no sock_diag")


def test_a_half_closed_socket_still_has_a_user(pair: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = pair
    client.shutdown(socket.SHUT_WR)
    accepted.settimeout(10)
    assert accepted.recv(1) == b"", "its end is here"
    assert peer.user_of_peer(accepted) == os.geteuid()


def test_a_closed_socket_has_no_user(pair: tuple[socket.socket, socket.socket]) -> None:
    """The kernel lists it as root's, whoever its user was."""
    client, accepted = pair
    client.close()
    accepted.settimeout(10)
    assert accepted.recv(1) == b"", "its end is here"
    assert peer.user_of_peer(accepted) is None


def test_only_the_servers_user_and_root_are_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {"own": os.geteuid(), "root": 0, "other": os.geteuid() + 1234, "unknown": None}
    trusted = {}
    for name, uid in users.items():
        monkeypatch.setattr(peer, "user_of_peer", lambda _connection, uid=uid: uid)
        with socket.socket() as connection:
            trusted[name] = peer.is_server_user(connection)
    assert trusted == {"own": True, "root": True, "other": False, "unknown": False}
    assert not peer.is_server_user(None)


def test_another_machine_has_no_local_user() -> None:
    class RemotePeer:
        def getpeername(self) -> tuple[str, int]:
            return "192.0.2.7", 40000

        def getsockname(self) -> tuple[str, int]:
            return "192.0.2.1", 5000

    assert peer.user_of_peer(RemotePeer()) is None


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("curl"),
    reason="only root can be another user",
)


def as_another_user(*command: str) -> str:
    """The output of a program of another user of this machine."""
    run = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", *command]
    return subprocess.run(run, capture_output=True, text=True, timeout=60).stdout


@needs_root
def test_another_user_of_the_machine_is_a_stranger(server: object) -> None:
    url = server.url  # type: ignore[attr-defined]
    status = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
    assert as_another_user(*status, url + "/api/me") == "401"
    assert as_another_user(*status, "-X", "POST", url + "/api/datasets/sample") == "401"
    assert as_another_user(*status, url + "/socket.io/?EIO=4&transport=polling") == "401"
    assert as_another_user(*status, url + "/health") == "200"
