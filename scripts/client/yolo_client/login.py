"""Authenticates the client: an access token, if one is needed."""

import os
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import requests

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
LISTENING = "0A"  # a state in /proc/net/tcp
REALM = 'realm="YOLO Training Platform"'


def owner_token() -> str | None:
    """The owner's token, if this is the server's folder and its user."""
    try:
        return (Path(os.environ.get("INSTANCE_PATH") or "instance") / "owner_token").read_text().strip() or None
    except (OSError, ValueError):
        return None


def is_ours(port: int) -> bool:
    """Whether the port's listener is this user or root: another user's program may have taken the server's port, and
    must not get the token. Where the system has no such table, this is unknown.
    """
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    users = {int(row[7]) for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port}
    return not tables or (bool(users) and users <= {os.geteuid(), 0})


class Login(requests.auth.AuthBase):
    """Sends the token with each request. Without one, the owner's is read if a server on this machine requires it.

    Args:
        url: the server's address.
        token: None: $YOLO_TOKEN.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self._explicit_token = token or os.environ.get("YOLO_TOKEN") or None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token and urlsplit(request.url or "")[:2] == urlsplit(self.url)[:2]:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    @cached_property
    def token(self) -> str | None:
        """The token to send; None if none is needed, or none is available."""
        address = urlsplit(self.url)
        if self._explicit_token or address.hostname not in LOOPBACK or not (owned := owner_token()):
            return self._explicit_token
        if not is_ours(address.port or {"https": 443}.get(address.scheme, 80)):
            return None
        answer = requests.get(self.url + "/api/me", timeout=60)
        needed = answer.status_code == 401 and REALM in answer.headers.get("WWW-Authenticate", "")
        return owned if needed else None

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}
