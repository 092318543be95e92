"""Requests to one server: logged in, repeated where the server asks for it, its problems as one error."""

import math
import time
import uuid
from typing import Any

import requests

from .login import Login

MOST_WAIT_S = 120  # a limit that lets the next request through later than this is an error


class ApiError(Exception):
    """The server refused a request, or what was asked for failed; the message is the server's own."""


def retry_after(response: requests.Response) -> float:
    """The seconds that the server asks for."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else math.inf


def rewind(files: Any) -> None:
    """Send files from their beginning again: a dict or pairs of (name, (filename, stream, ...))."""
    for _field, sent in files.items() if isinstance(files, dict) else files or ():
        sent[1].seek(0)


class Connection:
    """Sends requests and keeps the login.

    Args:
        url, language, token: see `Client`.
    """

    def __init__(self, url: str, language: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.login = self.session.auth = Login(self.url, token)
        self.session.headers.update({"Accept-Language": language})

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """A request whose answer is a success. Where the server says so (429), it is sent again after a while.

        Raises:
            ApiError: with the server's explanation, field by field.
        """
        response = self.session.request(method, self.url + path, timeout=600, **options)
        while response.status_code == 429 and (seconds := retry_after(response)) <= MOST_WAIT_S:
            time.sleep(seconds)
            rewind(options.get("files"))
            response = self.session.request(method, self.url + path, timeout=600, **options)
        if response.ok:
            return response
        try:
            raise ApiError(explained(response.json()))
        except (ValueError, KeyError):
            raise ApiError(f"{response.status_code} {response.reason} for {method} {path}") from None

    def headers(self) -> dict[str, str]:
        """Those of a connection that is not the session's: language, and token where one is needed."""
        return {"Accept-Language": str(self.session.headers["Accept-Language"])} | self.login.headers()


def explained(problem: dict[str, Any]) -> str:
    """A problem+json in a line."""
    fields = [f"{item['field']}: {item['message']}" for item in problem.get("errors", [])]
    return " ".join([f"{problem['status']}: {problem['detail']}", *fields])


def new_key() -> dict[str, str]:
    """An idempotency key for each request: a repeated one gets the same answer."""
    return {"Idempotency-Key": uuid.uuid4().hex}
