"""Viewers of one training, in a process without the application.

`python -m scripts.load_viewers URL TRAINING_ID COUNT`: connects COUNT viewers, prints `ready`, waits for the end of the
training, prints the messages received by each as one line of JSON. A viewer that fails ends the process with its
reason.

They speak Socket.IO 5 over Engine.IO 4 themselves: a client library takes two threads per viewer, and the viewers would
then use up the CPU on which the server's delays are measured. https://socket.io/docs/v4/socket-io-protocol/
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
    """How often each message arrived, by its number, and the delays of all in ms."""

    heard: Counter[int]
    delays: list[float]


class Viewer:
    """One Socket.IO connection over websocket that has joined the training's room.

    Raises:
        RuntimeError: the server refuses it; the message is the server's.
    """

    def __init__(self, url: str, training_id: int) -> None:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self.socket: WebSocket = create_connection(address, timeout=CONNECT_S)
        self.received: list[tuple[float, str]] = []  # (time, packet), to be parsed after the measurement
        self.completed = False
        self.socket.send(CONNECT)
        self.wait_for(CONNECT)
        self.socket.send(EVENT + "0" + json.dumps(["join_training", {"training_id": training_id}]))
        self.wait_for(ACK)

    def wait_for(self, kind: str) -> None:
        """Receive until there is such a packet."""
        while not (packet := self.receive()).startswith(kind):
            if packet.startswith("44"):  # CONNECT_ERROR
                raise RuntimeError(packet)

    def receive(self) -> str:
        """The next packet; answers pings."""
        packet = str(self.socket.recv())
        if packet == PING:
            self.socket.send(PONG)
        return packet

    def read(self) -> None:
        """Read what has arrived so far."""
        packet = self.receive()
        if packet.startswith('42["training_progress"'):
            self.received.append((time.time(), packet))
        elif packet.startswith('42["training_completed"'):
            self.completed = True

    def result(self) -> ViewerResult:
        """How often each message arrived, and the delays of all in ms."""
        counts: Counter[int] = Counter()
        delays = []
        for arrived_at, packet in self.received:
            _event, payload = json.loads(packet.removeprefix(EVENT))
            counts[payload["seq"]] += 1
            delays.append(1000 * (arrived_at - payload["progress"]["parts"]["sent"]))
        return {"heard": counts, "delays": delays}


def watch(viewers: list[Viewer]) -> None:
    """Read incoming packets until all have received the training's end.

    Raises:
        TimeoutError: its end was not received.
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
