"""Uploads of many small images: whether the work grows linearly with their number, memory, and the time until a page of
them is shown.
"""

import argparse
import random
import shutil
import statistics
import time
import zipfile
from pathlib import Path

import psutil

from scripts.bench.common import Figures, new_folder
from scripts.bench.datasets import measured_memory, peak, picture, send
from scripts.bench.resumable import ConcurrentClient
from scripts.local_server import MODES, Server

SMALL = (96, 72)
CLASSES = 20
PAGES = {
    "first page": "",
    "middle page": "page={middle}",
    "page of a class": "class=3",
    "page of a class and size": "class=3&min_size=20&max_size=40",
    "page of a search": "search=99",
    "page by objects": "sort=-objects",
}


def many(folder: Path, args: argparse.Namespace) -> Figures:
    """Two sizes, a factor of ten apart, in both modes."""
    figures: Figures = {}
    for mode in MODES:
        work = []
        for count in (args.many // 10, args.many):
            home = new_folder(folder, f"{mode}-{count}")
            archive = small_zip(home / "small.zip", count)
            with Server(home, mode, MAX_ZIP_ENTRIES=str(3 * count)) as server:
                measured = large_import(server, archive, count)
            work.append(measured["ms of a core each"])
            figures |= {f"{mode}, {count} images: {name}": value for name, value in measured.items()}
            shutil.rmtree(home)
        figures[f"{mode}: ratio of the work for an image"] = work[1] / work[0]
    return figures


def small_zip(path: Path, count: int) -> Path:
    """Small images, all different: 200 drawn ones, each repeated with other comments in its JPEG; three boxes each."""
    rng = random.Random(1)
    drawn = [picture(rng, SMALL, 16, 70) for _ in range(200)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.yaml", f"names: {[f'class {number}' for number in range(CLASSES)]}\n")
        for number in range(count):
            jpeg = drawn[number % len(drawn)]
            comment = b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big")
            archive.writestr(f"images/{number:06}.jpg", jpeg[:2] + comment + jpeg[2:])
            rows = "".join(f"{rng.randrange(CLASSES)} 0.5 0.5 0.{row + 1} 0.3\n" for row in range(3))
            archive.writestr(f"labels/{number:06}.txt", rows)
    return path


def large_import(server: Server, archive: Path, count: int) -> Figures:
    """One upload beside another client, then pages of its images."""
    took: list[float] = []
    before = used(server)
    with ConcurrentClient(server, pause=0.1) as concurrent:
        child = measured_memory(server.folder, lambda: took.extend(send(server, archive)))
    figures = {
        "upload to valid, s": took[0],
        "ms of a core each": 1000 * (used(server) - before) / count,
        "memory of the child, MB": child,
        "memory of the server, MB": peak(server.worker_pids()[-1]) / 2**20,
        "others meanwhile, p99, ms": concurrent.p99,
        "others meanwhile, longest, ms": concurrent.longest,
    }
    for name, query in PAGES.items():
        figures[f"{name}, ms"] = page_ms(server, query.format(middle=count // 120))
    return figures


def used(server: Server) -> float:
    """CPU seconds of the server and its ended children."""
    times = psutil.Process(server.worker_pids()[-1]).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def page_ms(server: Server, query: str) -> float:
    """The median of ten requests for a page of images, in ms; the first one is not counted."""
    durations = []
    for _ in range(11):
        began = time.perf_counter()
        answer = server.get(f"/api/datasets/1/images?per_page=60&{query}")
        durations.append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200 or not answer.json()["images"]:
            raise RuntimeError(answer.text[:300])
    return statistics.median(durations[1:])
