"""A child process that answers questions, one after the other, over a socket pair. No database.

It ends by itself when its socket closes, so it cannot outlive the web process, however that ends.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.jobs.process import child_environment

END_S = 2.0  # a child whose socket closed has this long before KILL


class ChildEnded(Exception):
    """The child ended before it answered.

    Args:
        exit_code: its exit status, negative for a signal.
    """

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit status {exit_code}")
        self.exit_code = exit_code


class ChildSilent(Exception):
    """The child did not answer in time; it was killed."""


class DuplexChild:
    """Runs `app.worker.<program>` and exchanges JSON lines with it. The caller sees to it that only one asks at a time.

    Args:
        program: the module below `app.worker`; its first argument is the number of its socket.
        directory: its working folder.
        log: where its stdout and stderr go; begun anew with each start.
        environment: goes on top of our own, see `child_environment`.
    """

    def __init__(self, program: str, directory: Path, log: Path, environment: Mapping[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._socket, theirs = socket.socketpair()
        with theirs, open(log, "wb") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", f"app.worker.{program}", str(theirs.fileno())],
                cwd=directory,
                env=child_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._popen.pid
        self.answers = 0

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def ask(self, question: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Send a question and wait for its answer; other requests are served meanwhile.

        Raises:
            ChildEnded, ChildSilent: there is no answer, and the child is gone.
        """
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            answer = json.loads(self._line(deadline))
        except TimeoutError as error:
            self.close(wait=0)
            raise ChildSilent(f"no answer within {timeout:.0f} s") from error
        except (ConnectionError, EOFError) as error:
            raise ChildEnded(self.close()) from error
        except BaseException:  # half an exchange: the next answer would be to another question
            self.close(wait=0)
            raise
        self.answers += 1
        return answer

    def _line(self, deadline: float) -> bytes:
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._socket.recv(65536)
            if not part:
                raise EOFError
            parts.append(part)
        return b"".join(parts)

    def close(self, wait: float = END_S) -> int | None:
        """End it; returns its exit status."""
        self._socket.close()
        if wait:
            try:
                return self._popen.wait(wait)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, 9)
        except ProcessLookupError:
            pass
        return self._popen.wait(END_S)
