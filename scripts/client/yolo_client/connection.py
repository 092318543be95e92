"""Requests to one server: logged in, repeated where the server asks for it, its problems as one error."""

import math
import time
import uuid
from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from .answers import Problem
from .login import Login

EXAMPLE = "http://127.0.0.1:5000"
MOST_WAIT_S = 120  # a limit that lets the next request through later than this is an error


class ApiError(Exception):
    """The server refused a request (the message is its own), could not be reached, or a job failed."""


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
        """One request, whatever its answer.

        Raises:
            ApiError: the address is none, or nobody answers there.
        """
        try:
            return self.session.request(method, self.url + path, timeout=600, **options)
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise ApiError(f"“{self.url}” isn't a server address. Write it as {EXAMPLE}.") from None
        except requests.RequestException as error:
            raise ApiError(unreachable(self.url, error)) from error

    def headers(self) -> dict[str, str]:
        """Those of a connection that is not the session's: language, and token where one is needed."""
        return {"Accept-Language": str(self.session.headers["Accept-Language"])} | self.login.headers()


def unreachable(url: str, error: BaseException) -> str:
    """A sentence for a connection that failed, with the system's reason where there is one."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.strerror:
            return f"The server at {url} can't be reached: {chain.strerror}."
        chain = chain.__cause__ or chain.__context__
    return f"The server at {url} can't be reached."


def explained(problem: Problem) -> str:
    """A problem+json in a line."""
    fields = [f"{item['field']}: {item['message']}" for item in problem.get("errors", [])]
    return " ".join([f"{problem['status']}: {problem['detail']}", *fields])


def new_key() -> dict[str, str]:
    """An idempotency key for each request: a repeated one gets the same answer."""
    return {"Idempotency-Key": uuid.uuid4().hex}
