"""Requests to the server under test, and the state of a training from them."""

import os
from typing import Any

import psutil
import requests

from scripts.client.yolo_client.answers import Metrics
from scripts.gpu.outcome import require
from scripts.local_server import Server

ENGLISH = {"Accept-Language": "en"}
ENDED = {"completed", "failed", "cancelled"}


def get(server: Server, path: str) -> dict[str, Any]:
    return body_of(server.get(path, headers=ENGLISH))


def post(server: Server, path: str, **options: Any) -> dict[str, Any]:
    return body_of(server.post(path, headers=ENGLISH, **options))


def body_of(answer: requests.Response) -> dict[str, Any]:
    """The JSON of a response.

    Raises:
        Fails: it is not successful.
    """
    request = f"{answer.request.method} {answer.request.path_url}"
    require(answer.ok, f"{request} was answered {answer.status_code}: {answer.text.strip()[:400]}")
    return answer.json()


def status(server: Server, training_id: int) -> str:
    return get(server, f"/api/trainings/{training_id}")["status"]


def epochs(server: Server, training_id: int) -> list[Metrics]:
    """The recorded metrics of each epoch."""
    return get(server, f"/api/trainings/{training_id}/metrics")["epochs"]


def children(server: Server, training_id: int) -> list[int]:
    """The processes that supervise the attempts of a training; at most one may be alive."""
    folder = f"{server.folder}/data/models/{training_id}/attempts/"
    pids = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            command = process.info["cmdline"] or []
            if command and command[-1].startswith(folder) and os.getsid(process.pid) == process.pid:
                pids.append(process.pid)
        except OSError:  # it has ended meanwhile
            continue
    return pids


def brief(value: Any) -> str:
    """The last response, in one line."""
    if isinstance(value, dict):
        value = {
            key: value.get(key) for key in ("status", "current_epoch", "error_kind", "error") if key in value
        } or value
    return str(value)[:300]
