"""Requests to one server: authenticated, repeated if the server asks for it, its error responses as one exception."""

import math
import time
import uuid
from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from .answers import Problem
from .login import Login

EXAMPLE = "http://127.0.0.1:5000"
MOST_WAIT_S = 120  # a rate limit with a longer wait than this is an error


class ApiError(Exception):
    """The server refused a request (the message is its own) or could not be reached, or a job failed."""


def retry_after(response: requests.Response) -> float:
    """The seconds of Retry-After."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else math.inf


def rewind(files: Any) -> None:
    """Rewind files to send them again: a dict or pairs of (name, (filename, stream, ...))."""
    for _field, sent in files.items() if isinstance(files, dict) else files or ():
        sent[1].seek(0)


class Connection:
    """Sends requests and keeps the session.

    Args:
        url, language, token: see `Client`.
    """

    def __init__(self, url: str, language: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.login = self.session.auth = Login(self.url, token)
        self.session.headers.update({"Accept-Language": language})

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; returns its successful response. On 429 it is sent again after the server's Retry-After.

        Raises:
            ApiError: with the server's explanation, field by field; or the server cannot be reached.
        """
        response = self.send(method, path, **options)
        while response.status_code == 429 and (seconds := retry_after(response)) <= MOST_WAIT_S:
            time.sleep(seconds)
            rewind(options.get("files"))
            response = self.send(method, path, **options)
        if response.ok:
            return response
        try:
            raise ApiError(explained(response.json()))
        except (ValueError, KeyError):
            raise ApiError(f"{response.status_code} {response.reason} for {method} {path}") from None

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request; returns any response.

        Raises:
            ApiError: the address is invalid, or nothing answers there.
        """
        try:
            return self.session.request(method, self.url + path, timeout=600, **options)
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise ApiError(f"“{self.url}” isn't a server address. Write it as {EXAMPLE}.") from None
        except requests.RequestException as error:
            raise ApiError(unreachable(self.url, error)) from error

    def headers(self) -> dict[str, str]:
        """The headers of a connection outside the session: language, and token if one is needed."""
        return {"Accept-Language": str(self.session.headers["Accept-Language"])} | self.login.headers()


def unreachable(url: str, error: BaseException) -> str:
    """A sentence for a failed connection, with the system's reason if there is one."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.strerror:
            return f"The server at {url} can't be reached: {chain.strerror}."
        chain = chain.__cause__ or chain.__context__
    return f"The server at {url} can't be reached."


def explained(problem: Problem) -> str:
    """A problem+json in one line."""
    fields = [f"{item['field']}: {item['message']}" for item in problem.get("errors", [])]
    return " ".join([f"{problem['status']}: {problem['detail']}", *fields])


def new_key() -> dict[str, str]:
    """An idempotency key for each request: a repeated request gets the same response."""
    return {"Idempotency-Key": uuid.uuid4().hex}
