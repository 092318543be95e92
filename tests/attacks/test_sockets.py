"""Socket.IO packets that no client of ours sends, and clients that send without end."""

import json
import socket
import statistics
import threading
import time
from typing import Any

import pytest
import requests
import socketio

from app.sockets import EVENTS
from tests.attacks.conftest import Target

POLLING = "/socket.io/?EIO=4&transport=polling"
QUICK_S = 15.0  # for a response on a busy machine; engineio's own timeouts are 20 and 40 s


class Poller:
    """A client by polling, packet by packet."""

    def __init__(self, target: Target) -> None:
        opened = target.server.get(POLLING).text
        self.url = f"{target.server.url}{POLLING}&sid={json.loads(opened[1:])['sid']}"
        assert self.post("40") == 200
        assert self.get().startswith("40")

    def post(self, packet: str) -> int:
        return requests.post(self.url, data=packet.encode(), timeout=60).status_code

    def get(self) -> str:
        return requests.get(self.url, timeout=60).text


PACKETS = [
    *(f'["join_training",{{"training_id":{number}}}]' for number in ("9" * 100, "9" * 5000, "NaN", "1e400")),
    *(f'["{name}",1]' for name in ("no_such", "connect", "disconnect", "*", "damaged")),
    *("", "{}", "[]", "[1]", "[[]]", '[{"a":1}]', "null", "nonsense", '["join_training","\\ud800"]'),
    '["join_training",' + "[" * 20_000,
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet[:40])
def test_damaged_packets_are_acknowledged(target: Target, packet: str) -> None:
    poller, began = Poller(target), time.monotonic()
    assert poller.post("427" + packet) == 200
    answer = poller.get()
    assert answer.startswith("437[")
    assert json.loads(answer[3:])[0]["ok"] is False
    assert time.monotonic() - began < QUICK_S
    assert poller.post('428["leave_dashboard"]') == 200
    assert json.loads(poller.get()[3:]) == [{"ok": True}], "the connection lives on"


@pytest.mark.parametrize(
    "payload", ["9", "7x", "2", "6", "0{}", "", "x", "²", "b", "bAA", "d=4", "\x1e", "43" + "\x1e3" * 20]
)
def test_unknown_packets_are_refused_at_once(target: Target, payload: str) -> None:
    poller, began = Poller(target), time.monotonic()
    assert poller.post(payload) == 400
    assert time.monotonic() - began < QUICK_S


def test_odd_packets_change_nothing(target: Target) -> None:
    """Binary packets, acknowledgements, other namespaces, a second CONNECT."""
    poller = Poller(target)
    for packet in (
        '451-["join_training",{"_placeholder":true,"num":7}]',
        "46",
        "43{}",
        "439[]",
        "40/admin,",
        "49",
        "4",
        "40",
    ):
        assert poller.post(packet) == 200, packet
    assert poller.post('421["join_dashboard"]') == 200
    answers = ""
    while '431[{"ok":true' not in answers:
        answers += poller.get()


def test_websocket_packets(target: Target) -> None:
    """An invalid packet ends only its own connection."""
    import simple_websocket

    for sent in ("", "x", "²", "9", b"\xff", "4" + "9" * 2_000_000, '42["join_training",' + "9" * 100 + "]"):
        address = f"ws://127.0.0.1:{target.server.port}/socket.io/?EIO=4&transport=websocket"
        websocket = simple_websocket.Client(address)
        websocket.send("40")
        while not websocket.receive(timeout=60).startswith("40"):
            pass
        try:
            websocket.send(sent)
            websocket.close()
        except (simple_websocket.ConnectionClosed, OSError):
            pass
    assert target.server.get("/health").status_code == 200


def time_other_requests(target: Target, until: threading.Event) -> list[float]:
    """Durations (s) of another client's requests, one after the other."""
    took: list[float] = []
    with requests.Session() as session:
        while not until.is_set():
            began = time.monotonic()
            assert session.get(target.server.url + "/api/trainings", timeout=60).status_code == 200
            took.append(time.monotonic() - began)
            until.wait(0.02)
    return took


def test_three_thousand_joins_in_a_row(target: Target) -> None:
    """Other clients are served meanwhile; what exceeds the limit is read slowly, or refused with an error."""
    count, answers, over = 3000, [], threading.Event()

    def answered(answer: dict[str, Any]) -> None:
        answers.append(answer)
        if len(answers) == count:
            over.set()

    client = socketio.Client(reconnection=False)
    client.connect(target.server.url, transports=["websocket"], wait_timeout=60)
    threading.Timer(12, over.set).start()
    sender = threading.Thread(
        target=lambda: [
            client.emit("join_training", {"training_id": target.training_id, "event": False}, callback=answered)
            for _ in range(count)
        ]
    )
    sender.start()
    took = time_other_requests(target, over)
    client.disconnect()
    sender.join(60)
    assert statistics.quantiles(took, n=20)[-1] < 5.0, (
        "without the limits it was 6 s, on a machine that did nothing else"
    )
    assert {answer.get("status") for answer in answers if not answer["ok"]} <= {429}
    assert len(answers) < count, "at the pace of a flood it takes a minute"
    assert sum(answer["ok"] for answer in answers) >= EVENTS


def test_large_messages_wait_with_their_client(target: Target) -> None:
    """What the server does not read in time stays in the system's buffers: 10 MB at most."""
    most, sent = 16_000_000, 0
    with socket.create_connection(("127.0.0.1", target.server.port), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{target.server.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in connection.recv(4096)
        text = b'42["no_such","' + b"x" * 60_000 + b'"]'
        frame = b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text
        end = time.monotonic() + 4
        connection.settimeout(0.5)
        while sent < most and time.monotonic() < end:
            try:
                sent += connection.send((frame * 20)[sent % len(frame) :])
            except TimeoutError:
                break
        assert sent < most, "the server reads on"
        assert target.server.get("/health").status_code == 200


def test_no_traceback(target: Target) -> None:
    assert "Traceback" not in target.server.log()
