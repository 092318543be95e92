"""Messages between the processes through Redis. They are only hints: whatever is lost while Redis is unavailable is
read from the database or from files at the next poll.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from app.extensions import socketio

logger = logging.getLogger("yolo.cluster")

CHANNEL = "yolo-platform"
PROCESS = "yolo-platform:process:"  # prefix of one key per process, which expires after it ends
CONNECT_S = 1.0
RETRY_S = 3.0  # before publishing is tried again: a request must not wait for an unavailable Redis
BEAT_S, LASTS_S = 3.0, 15.0

Handler = Callable[[Any], object]


class Bus:
    """Publishes to the other processes, and receives from them.

    Args:
        url: of Redis; empty: this is the only process, and nothing is sent.
        process_id: of this process, which ignores its own messages.
    """

    def __init__(self, url: str, process_id: str) -> None:
        self.url, self.process_id = url, process_id
        self.handlers: dict[str, Handler] = {}
        self.closed = False
        self._client: Any = None
        self._retry_at = self._beat_at = 0.0

    def on(self, name: str, handler: Handler) -> None:
        """Register the handler of a message. Handlers run without an application context, one after the other."""
        self.handlers[name] = handler

    @property
    def client(self) -> Any:
        if self._client is None:
            from redis import Redis  # not at import: a single process needs no Redis

            self._client = Redis.from_url(self.url, socket_connect_timeout=CONNECT_S, socket_timeout=5.0)
        return self._client

    def publish(self, name: str, payload: Any) -> None:
        """Send to the other processes. Never raises, and blocks only briefly."""
        if not self.url or time.monotonic() < self._retry_at:
            return
        try:
            self.client.publish(CHANNEL, json.dumps({"from": self.process_id, "name": name, "payload": payload}))
        except Exception as error:
            self.lost(error)

    def lost(self, error: Exception) -> None:
        logger.warning("Redis does not answer; changes by other processes are noticed later: %s", error)
        self._retry_at = time.monotonic() + RETRY_S

    def run(self) -> None:
        """Receive messages and send heartbeats. The body of a background task."""
        while not self.closed:
            try:
                with self.client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(CHANNEL)
                    self.listen(pubsub)
            except Exception as error:
                self.lost(error)
                socketio.sleep(1.0)

    def listen(self, pubsub: Any) -> None:
        while not self.closed:
            self.beat()
            message = pubsub.get_message(timeout=1.0)
            if message is not None:
                self.receive(message["data"])

    def receive(self, data: bytes) -> None:
        """Handle one message; an error in one does not stop the others."""
        try:
            message = json.loads(data)
            handler = self.handlers.get(message["name"])
            if message["from"] != self.process_id and handler is not None:
                handler(message["payload"])
        except Exception:
            logger.exception("handling a message of another process has failed")

    def beat(self) -> None:
        if time.monotonic() - self._beat_at < BEAT_S:
            return
        self.client.set(PROCESS + self.process_id, "1", px=int(LASTS_S * 1000))
        self._beat_at = time.monotonic()

    def present(self) -> set[str] | None:
        """The ids of the live processes, by their heartbeats; None: Redis does not answer."""
        try:
            return {key.decode().removeprefix(PROCESS) for key in self.client.scan_iter(PROCESS + "*")} | {
                self.process_id
            }
        except Exception as error:
            self.lost(error)
            return None
