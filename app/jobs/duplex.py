"""Sends requests to a child process over a socket pair, several at a time. No database.

The child ends when its socket closes, so that it cannot outlive the web process, however that ends.
"""

import itertools
import json
import socket
import threading
import time
import uuid
from collections.abc import Mapping

from app.core.json_object import JsonObject

SOCKET_TIMEOUT_S = 30.0  # of one read, which is then repeated, and of one write, which has then failed
LONGEST = 3  # times the timeout: the longest wait for an answer while the child answers others


class ChildEnded(Exception):
    """The child ended, or could not start, before it answered."""


class ChildSilent(Exception):
    """The child did not answer in time."""


class Waiter:
    """A request without an answer yet."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.answer: JsonObject | None = None


class Link:
    """The server's end of the pair: JSON lines. A request has an `id`, and its answer the same; answers come in any
    order.
    """

    def __init__(self) -> None:
        self._socket, self._theirs = socket.socketpair()
        self._socket.settimeout(SOCKET_TIMEOUT_S)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Waiter] = {}
        self._sending = threading.Lock()
        self._reader: threading.Thread | None = None
        self._last_answer_at = time.monotonic()
        self.closed = False

    @property
    def descriptor(self) -> int:
        """The file descriptor of the child's end, for its start."""
        return self._theirs.fileno()

    def hand_over(self) -> None:
        """The child has its end. Our copy is closed: otherwise the child's exit would not close the connection."""
        self._theirs.close()

    def ask(self, question: Mapping[str, object], timeout: float) -> JsonObject:
        """Send a request and wait for its answer. Other callers are served meanwhile, and may send requests too.

        Args:
            timeout: longest silence of the child, in s, across all requests.

        Raises:
            ChildEnded: the child ended before its answer.
            ChildSilent: the child did not answer in time; it is abandoned.
        """
        number, waiter = next(self._numbers), Waiter()
        self._waiting[number] = waiter
        try:
            self._send({**question, "id": number})
            self._wait_for(waiter, timeout)
        finally:
            self._waiting.pop(number, None)
        if waiter.answer is None:
            raise ChildEnded
        return waiter.answer

    def _send(self, question: Mapping[str, object]) -> None:
        try:
            with self._sending:
                if self._reader is None:
                    self._reader = threading.Thread(target=self._listen, name="link", daemon=True)
                    self._reader.start()
                self._socket.sendall(json.dumps(question).encode() + b"\n")
        except OSError as error:  # the child ended, or does not read any more
            self.hang_up()
            raise ChildEnded from error
        except BaseException:  # a part of the line may have been sent
            self.hang_up()
            raise

    def _wait_for(self, waiter: Waiter, timeout: float) -> None:
        sent_at = time.monotonic()
        while not self.closed:
            until = min(max(sent_at, self._last_answer_at) + timeout, sent_at + LONGEST * timeout)
            if waiter.answered.wait(max(0.0, until - time.monotonic())):
                return
            if time.monotonic() >= min(max(sent_at, self._last_answer_at) + timeout, sent_at + LONGEST * timeout):
                self.hang_up()
                raise ChildSilent(f"no answer within {timeout:.0f} s")

    def _listen(self) -> None:
        """Pass each answer to its request, until the child has ended."""
        try:
            rest = b""
            while part := self._part():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    self._hand_out(json.loads(line))
        except (OSError, ValueError):
            pass
        finally:
            self.hang_up()

    def _part(self) -> bytes:
        while True:
            try:
                return self._socket.recv(65536)
            except TimeoutError:  # nothing arrived
                if self.closed:
                    return b""

    def _hand_out(self, answer: JsonObject) -> None:
        self._last_answer_at = time.monotonic()
        number = answer.pop("id", 0)
        if isinstance(number, int) and (waiter := self._waiting.get(number)) is not None:
            waiter.answer = answer
            waiter.answered.set()

    def hang_up(self) -> None:
        """Close the connection: the child ends, and open requests fail."""
        self.closed = True
        self._theirs.close()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # not close(): another thread may be blocked on it
        except OSError:  # the other end is closed
            pass
        for waiter in list(self._waiting.values()):
            waiter.answered.set()


class Links:
    """The links to the children of one kind. A job names its link in its params (`link`).

    Args:
        owner: the id of this process, if there are several; the names of its links begin with it.
    """

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self._links: dict[str, Link] = {}

    def create(self) -> tuple[str, Link]:
        """Create a link for a job to be submitted: its name, and the link."""
        name, link = "-".join(filter(None, [self.owner, uuid.uuid4().hex])), Link()
        self._links[name] = link
        return name, link

    def owns(self, params: Mapping[str, object]) -> bool:
        """Whether a job's link belongs to this process."""
        return not self.owner or owner_of(params) == self.owner

    def of(self, params: Mapping[str, object]) -> Link:
        """The link that a job's params name.

        Raises:
            LookupError: it belonged to a server that has ended.
        """
        return self._links[str(params["link"])]

    def end(self, params: Mapping[str, object]) -> None:
        """Close the link of a job that has ended."""
        if (link := self._links.pop(str(params["link"]), None)) is not None:
            link.hang_up()


def owner_of(params: Mapping[str, object]) -> str:
    """The id of the process that has a job's link."""
    return str(params.get("link", "")).partition("-")[0]
