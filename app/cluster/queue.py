"""Socket.IO over Redis: what one process emits reaches the clients of all."""

import logging
import time
from collections.abc import Iterator
from typing import Any

from redis import Redis
from socketio import RedisManager

from app.extensions import socketio

CHANNEL = "flask-socketio"
CONNECT_S, ANSWER_S = 1.0, 2.0
RETRY_S = 3.0  # before publishing is tried again: an unavailable Redis must block nothing
AGAIN_S = 1.0

logger = logging.getLogger("yolo.cluster")


class MessageQueue(RedisManager):
    """python-socketio's manager for a Redis that may be unavailable or hang: publishing blocks only briefly, and
    listening resumes soon. Pages then see a gap in the numbers, and request the missing messages.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, CHANNEL)
        self.retry_at = 0.0
        self._publisher: Any = None

    def new_client(self) -> Any:
        return Redis.from_url(self.redis_url, socket_connect_timeout=CONNECT_S, socket_timeout=ANSWER_S)

    def _publish(self, data: Any) -> None:
        if time.monotonic() < self.retry_at:
            return
        try:
            self._publisher = self._publisher or self.new_client()
            self._publisher.publish(self.channel, self.json.dumps(data))
        except Exception as error:
            self.retry_at = time.monotonic() + RETRY_S
            logger.warning("clients of other processes miss messages: Redis: %s", error)

    def _redis_listen_with_retries(self) -> Iterator[Any]:
        while True:
            try:
                with self.new_client().pubsub(ignore_subscribe_messages=True) as self.pubsub:
                    self.pubsub.subscribe(self.channel)
                    while True:
                        if (message := self.pubsub.get_message(timeout=1.0)) is not None:
                            yield message
            except Exception as error:
                logger.warning("clients of this process miss messages: Redis: %s", error)
            socketio.sleep(AGAIN_S)


def message_queue(url: str) -> MessageQueue | None:
    """For `SocketIO.init_app`; None: there is a single process."""
    return MessageQueue(url) if url else None
