"""Helpers shared by several sections."""

import multiprocessing
import os
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import requests

Figures = dict[str, float]


def new_folder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    return path


def request_repeatedly(url: str, over: "Event", longest: "Synchronized[float]") -> None:
    """Request a URL repeatedly; put the longest response time, in ms, into `longest`."""
    with requests.Session() as session:
        while not over.wait(0.005):
            began = time.perf_counter()
            session.get(url, timeout=60)
            longest.value = max(longest.value, 1000 * (time.perf_counter() - began))


class Pulse:
    """Requests /health continuously, in a process of its own, since the uploading process is busy and would add its own
    delays.
    """

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._over, self._longest = context.Event(), context.Value("d", 0.0)
        self._process = context.Process(target=request_repeatedly, args=(url + "/health", self._over, self._longest))

    @property
    def longest_ms(self) -> float:
        return self._longest.value

    def __enter__(self) -> "Pulse":
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.join()


def offline_environment(folder: Path) -> dict[str, str]:
    """The environment of the platform's child processes: nothing is downloaded or installed."""
    return os.environ | {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(folder)}
