"""500 MB on loopback: in one POST and in chunks (tus), against `cp` and `sync`; the delay of other requests
meanwhile.
"""

import argparse
import http.client
import multiprocessing
import os
import statistics
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import requests

from scripts.bench.common import Figures
from scripts.local_server import MODES, Server
from tests.data import yolo_files

SIZE = 500 * 2**20
CHUNK = 64 * 2**20  # the chunk size of the page and the client
PIECE = 2**20
ROUNDS = 3
TUS = {"Tus-Resumable": "1.0.0"}
Times = tuple[float, ...]  # seconds
BOUNDARY = "0123456789abcdef" * 2  # as long as the boundaries of requests and of browsers


def large_zip(path: Path) -> Path:
    """A small dataset and a large file that the server skips, so that the time is that of the transfer, not of the
    extraction.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in yolo_files().items():
            archive.writestr(name, content)
        archive.writestr("filler.bin", os.urandom(SIZE))
    return path


def copy_and_sync(source: Path, target: Path) -> float:
    """Seconds of `cp` and `sync` for the same bytes on the same disk."""
    began = time.monotonic()
    subprocess.run(["cp", str(source), str(target)], check=True)
    subprocess.run(["sync", str(target)], check=True)
    seconds = time.monotonic() - began
    target.unlink()
    return seconds


def pieces(path: Path, start: int, size: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while size > 0:
            piece = file.read(min(PIECE, size))
            size -= len(piece)
            yield piece


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: Iterator[bytes]
) -> http.client.HTTPResponse:
    """A request whose body is sent in pieces of a megabyte, since the library requests would be the bottleneck."""
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    for piece in body:
        connection.send(piece)
    answer = connection.getresponse()
    answer.read()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status}")
    return answer


def by_post(server: Server, path: Path) -> float:
    """Seconds to the response, which is sent once the dataset exists."""
    name = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\nBench\r\n--{BOUNDARY}\r\n'
    head = f'{name}Content-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'.encode()
    tail, size = f"\r\n--{BOUNDARY}--\r\n".encode(), path.stat().st_size
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(head) + size + len(tail)),
    }

    def body() -> Iterator[bytes]:
        yield head
        yield from pieces(path, 0, size)
        yield tail

    began = time.monotonic()
    ask(http.client.HTTPConnection(urlsplit(server.url).netloc), "POST", "/api/datasets", headers, body())
    return time.monotonic() - began


def by_chunks(server: Server, path: Path, chunk: int) -> tuple[float, float]:
    """Seconds to the last chunk's response, with every byte synced; and to the dataset."""
    size = path.stat().st_size
    began = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    headers = TUS | {"Upload-Length": str(size), "Upload-Metadata": "filename YmVuY2guemlw", "Content-Length": "0"}
    location = ask(connection, "POST", "/api/uploads", headers, iter(())).headers["Location"]
    for start in range(0, size, chunk):
        length = min(chunk, size - start)
        headers = TUS | {"Upload-Offset": str(start), "Content-Length": str(length)}
        headers["Content-Type"] = "application/offset+octet-stream"
        ask(connection, "PATCH", location, headers, pieces(path, start, length))
    sent = time.monotonic() - began
    while server.get(location).json()["state"] != "done":
        time.sleep(0.02)
    return sent, time.monotonic() - began


def request_repeatedly(url: str, ours: Connection, pause: float) -> None:
    """Send many small requests until told to end; then send back the duration of each, in ms."""
    durations: list[float] = []
    with requests.Session() as session:
        while not ours.poll(pause):
            began = time.perf_counter()
            session.get(url, timeout=60)
            durations.append(1000 * (time.perf_counter() - began))
    ours.send(durations)


class ConcurrentClient:
    """Another client, in a process of its own, `pause` s between requests; their `p99` and `longest`, in ms."""

    def __init__(self, server: Server, pause: float = 0.005) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=request_repeatedly, args=(server.url + "/api/datasets", theirs, pause))
        self.p99 = self.longest = 0.0

    def __enter__(self) -> "ConcurrentClient":
        self._process.start()
        time.sleep(1)  # until it sends requests
        return self

    def __exit__(self, *_: object) -> None:
        self._end.send(None)
        durations = sorted(self._end.recv())
        self._process.join()
        self.p99, self.longest = durations[int(0.99 * len(durations))], durations[-1]


def clear(server: Server) -> None:
    """Wait until a round's dataset is read, and delete it, so that the next round pays neither for its import nor for a
    full page cache.
    """
    rows = [{"status": "validating"}]
    while any(row["status"] == "validating" for row in rows):
        time.sleep(0.1)
        rows = server.get("/api/datasets").json()["datasets"]
    for row in rows:
        requests.delete(f"{server.url}/api/datasets/{row['id']}", timeout=60).raise_for_status()
    time.sleep(0.5)


def rounds(server: Server, path: Path, send: Callable[[], Times]) -> tuple[float, Times]:
    """Medians of `cp` and `sync`, and of what `send` returns, in alternation."""
    baseline, results = [], []
    for _ in range(ROUNDS):
        baseline.append(copy_and_sync(path, path.with_suffix(".copy")))
        results.append(send())
        clear(server)
    return statistics.median(baseline), tuple(statistics.median(values) for values in zip(*results, strict=True))


def resumable(folder: Path, _args: argparse.Namespace) -> Figures:
    """Medians of three rounds, without and with another client that sends requests without a pause; its delays over all
    rounds.
    """
    path = large_zip(folder / "bench.zip")
    figures = {"MB": path.stat().st_size / 2**20}
    for mode in MODES:
        (folder / mode).mkdir()
        with Server(folder / mode, mode, MAX_UPLOAD_SIZE="1GB", MIN_FREE_DISK="1MB") as server:
            figures |= {f"{mode}: {name}": value for name, value in uploads(server, path).items()}
    return figures


def uploads(server: Server, path: Path) -> Figures:
    """Every way to upload it, to one server."""
    ways: dict[str, Callable[[], Times]] = {
        "POST": lambda: (by_post(server, path),),
        "tus": lambda: by_chunks(server, path, CHUNK),
        "tus in one PATCH": lambda: by_chunks(server, path, SIZE * 2),
    }
    with ConcurrentClient(server) as alone:
        time.sleep(2)
    figures = {"others alone, p99, ms": alone.p99}
    for name, send in ways.items():
        baseline, (took, *rest) = rounds(server, path, send)
        figures |= {
            f"cp and sync beside {name}, s": baseline,
            f"{name}, s": took,
            f"{name} / cp and sync": took / baseline,
        }
        if rest:
            figures[f"{name}, dataset made / cp and sync"] = rest[0] / baseline
        with ConcurrentClient(server) as concurrent:
            baseline, (took, *_) = rounds(server, path, send)
        figures |= {
            f"{name} with others / cp and sync": took / baseline,
            f"others during {name}, p99, ms": concurrent.p99,
            f"others during {name}, longest, ms": concurrent.longest,
        }
    return figures
