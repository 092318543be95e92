"""Viewers of one training, in a process without the application.

`python -m scripts.load_viewers URL TRAINING_ID COUNT`: connects COUNT viewers, prints `ready`, waits for the end of the
training, prints as one line of JSON what each has heard. A viewer that fails ends the process with its reason.

They speak Socket.IO 5 over Engine.IO 4 by themselves: a client's library takes two threads a viewer, and the viewers
would then hold the processors for which the server's delays are measured.
https://socket.io/docs/v4/socket-io-protocol/
"""

import json
import selectors
import sys
import time
from collections import Counter
from typing import TypedDict

from websocket import WebSocket, create_connection

CONNECT_S, END_S = 60, 300
# Engine.IO's packets, and Socket.IO's in its messages.
PING, PONG = "2", "3"
CONNECT, EVENT, ACK = "40", "42", "43"


class ViewerResult(TypedDict):
    """How often each message came, by its number, and the delays of all in ms."""

    heard: Counter[int]
    delays: list[float]


class Viewer:
    """One Socket.IO connection over websocket that has joined the training's room.

    Raises:
        RuntimeError: the server refuses it; the message is what it said.
    """

    def __init__(self, url: str, training_id: int) -> None:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self.socket: WebSocket = create_connection(address, timeout=CONNECT_S)
        self.received: list[tuple[float, str]] = []  # (when, the packet), to be read after the measurement
        self.completed = False
        self.socket.send(CONNECT)
        self.wait_for(CONNECT)
        self.socket.send(EVENT + "0" + json.dumps(["join_training", {"training_id": training_id}]))
        self.wait_for(ACK)

    def wait_for(self, kind: str) -> None:
        """Receives until there is such a packet."""
        while not (packet := self.receive()).startswith(kind):
            if packet.startswith("44"):  # CONNECT_ERROR
                raise RuntimeError(packet)

    def receive(self) -> str:
        """The next packet; a ping is answered."""
        packet = str(self.socket.recv())
        if packet == PING:
            self.socket.send(PONG)
        return packet

    def read(self) -> None:
        """What has arrived now."""
        packet = self.receive()
        if packet.startswith('42["training_progress"'):
            self.received.append((time.time(), packet))
        elif packet.startswith('42["training_completed"'):
            self.completed = True

    def result(self) -> ViewerResult:
        """How often each message came, and the delays of all in ms."""
        counts: Counter[int] = Counter()
        delays = []
        for arrived_at, packet in self.received:
            _event, payload = json.loads(packet.removeprefix(EVENT))
            counts[payload["seq"]] += 1
            delays.append(1000 * (arrived_at - payload["progress"]["parts"]["sent"]))
        return {"heard": counts, "delays": delays}


def watch(viewers: list[Viewer]) -> None:
    """Read what arrives until all have received the training's end.

    Raises:
        TimeoutError: its end was not heard.
    """
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.socket.sock, selectors.EVENT_READ, viewer)
        deadline = time.monotonic() + END_S
        while selector.get_map():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(selector.get_map())} viewers have not heard the training's end in {END_S} s")
            for key, _ in selector.select(1):
                viewer = key.data
                viewer.read()
                if viewer.completed:
                    selector.unregister(viewer.socket.sock)


def main() -> None:
    url, training_id, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    viewers = [Viewer(url, training_id) for _ in range(count)]
    print("ready", flush=True)
    watch(viewers)
    print(json.dumps([viewer.result() for viewer in viewers]), flush=True)
    for viewer in viewers:
        viewer.socket.close()


if __name__ == "__main__":
    main()
