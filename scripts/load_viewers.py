"""Viewers of one training, in a process of their own that knows nothing of the application.

`python -m scripts.load_viewers URL TRAINING_ID COUNT`: connects COUNT viewers, prints `ready`, waits for the end of the
training, prints as one line of JSON what each has heard. A viewer that fails ends the process with its reason.
"""

import json
import sys
import threading
import time
from collections import Counter
from typing import Any

import socketio

CONNECT_S, END_S = 60, 300


class Viewer:
    """One Socket.IO connection over websocket; `heard` counts numbers, `delays` are in ms."""

    def __init__(self, url: str, training_id: int) -> None:
        self.heard: Counter[int] = Counter()
        self.delays: list[float] = []
        self.over = threading.Event()
        self.client = socketio.Client(reconnection=False)
        self.client.on("training_progress", self.note)
        self.client.on("training_completed", lambda _payload: self.over.set())
        self.client.connect(url, transports=["websocket"], wait_timeout=CONNECT_S)
        self.client.call("join_training", {"training_id": training_id}, timeout=CONNECT_S)

    def note(self, payload: dict[str, Any]) -> None:
        self.heard[payload["seq"]] += 1
        self.delays.append(1000 * (time.time() - payload["progress"]["parts"]["sent"]))

    def result(self) -> dict[str, Any]:
        """What was heard until the training's end.

        Raises:
            TimeoutError: its end was not heard.
        """
        if not self.over.wait(END_S):
            raise TimeoutError(f"no end of the training within {END_S} s, after {sum(self.heard.values())} messages")
        return {"heard": self.heard, "delays": self.delays}


def main() -> None:
    url, training_id, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    viewers = [Viewer(url, training_id) for _ in range(count)]
    print("ready", flush=True)
    print(json.dumps([viewer.result() for viewer in viewers]), flush=True)
    for viewer in viewers:
        viewer.client.disconnect()


if __name__ == "__main__":
    main()
