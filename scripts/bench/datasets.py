"""A dataset from the end of its upload to `valid`, and imports of many images: time, memory, and the ratio to what
unzipping and decoding alone take."""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import requests
from PIL import Image

from app.config import ROOT
from app.services.datasets.options import recipe
from scripts.bench.common import Figures, new_folder
from scripts.local_server import MODES, Server

SIDE, QUALITY = 640, 88
GRAIN = 80  # pixels of noise a side, scaled up: about 110 KB a picture
SMALL = (96, 72)
BCCD = ROOT.parent / "shared" / "datasets" / "bccd-yolo.zip"
REAL_QUALITY = 97
BOUNDARY = "bench-of-datasets"
POLL_S = 0.1  # each answer costs the server a few ms of a core that the import needs


def picture(rng: random.Random, size: tuple[int, int], grain: int, quality: int) -> bytes:
    """A JPEG of smooth noise, as large as a photograph of its size."""
    noise = Image.frombytes("RGB", (grain, grain), rng.randbytes(grain * grain * 3))
    buffer = BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def drawn(count: int) -> Iterator[bytes]:
    """Different pictures of 640 px: noise, the most work that pictures of their size can be."""
    rng = random.Random(0)
    for _ in range(count):
        yield picture(rng, (SIDE, SIDE), GRAIN, QUALITY)


def real(count: int) -> Iterator[bytes]:
    """Different cuttings of BCCD's photographs, 640 px, at a quality that gives about 110 KB each."""
    rng = random.Random(0)
    with zipfile.ZipFile(BCCD) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for number in range(count):
            with Image.open(BytesIO(archive.read(names[number % len(names)]))) as photograph:
                size = photograph.width - rng.randrange(60), photograph.height - rng.randrange(60)
                cut = photograph.convert("RGB").crop((0, 0, *size)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            buffer = BytesIO()
            cut.save(buffer, "JPEG", quality=REAL_QUALITY, subsampling=0)
            yield buffer.getvalue()


def zipped(path: Path, pictures: Iterator[bytes]) -> Path:
    """A ZIP of pictures, five boxes each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", "names: [a, b, c]\n")
        for number, content in enumerate(pictures):
            split = "val" if number % 5 == 0 else "train"
            archive.writestr(f"images/{split}/{number}.jpg", content)
            rows = "".join(f"{row % 3} 0.5 0.5 0.{row + 1} 0.5\n" for row in range(5))
            archive.writestr(f"labels/{split}/{number}.txt", rows)
    return path


def unzip_and_decode(archive: Path, folder: Path) -> float:
    """Seconds of the least that must be done: extract, and decode each image once, at reduced size, on every core."""
    began = time.monotonic()
    shutil.unpack_archive(archive, folder, "zip")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, folder.rglob("*.jpg")))
    return time.monotonic() - began


def decode(path: Path) -> None:
    with Image.open(path) as image:
        image.draft("RGB", (SIDE // 2, SIDE // 2))
        image.load()


def largest_rss(folder: Path, over: "multiprocessing.synchronize.Event", largest: "multiprocessing.Value") -> None:  # type: ignore[valid-type]
    """Put the most memory that a child of the server below `folder` had, in bytes, into `largest`. Looked up rarely:
    the kernel keeps each process's peak, and what is measured must not wait for who measures."""
    while not over.wait(0.3):
        for process in psutil.process_iter(["cmdline"]):
            if any(str(folder) in part for part in process.info["cmdline"] or []):
                largest.value = max(largest.value, peak(process.pid))  # type: ignore[attr-defined]


def peak(pid: int) -> int:
    """The most memory that a process ever had, in bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def measured_memory(folder: Path, work: Callable[[], None]) -> float:
    """The most memory of a child meanwhile, in MB."""
    context = multiprocessing.get_context("spawn")
    over, largest = context.Event(), context.Value("d", 0.0)
    watcher = context.Process(target=largest_rss, args=(folder, over, largest))
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return float(largest.value) / 2**20


class Form:
    """A form with a name and a file, sent as it is read; `sent` is when its last bytes were handed over."""

    def __init__(self, archive: Path) -> None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\nBench\r\n--{BOUNDARY}\r\n'
        head += 'Content-Disposition: form-data; name="file"; filename="bench.zip"\r\n\r\n'
        self.parts = [BytesIO(head.encode()), open(archive, "rb"), BytesIO(f"\r\n--{BOUNDARY}--\r\n".encode())]  # noqa: SIM115
        self.size = len(head) + archive.stat().st_size + len(BOUNDARY) + 8
        self.sent = 0.0

    def __len__(self) -> int:
        return self.size

    def read(self, size: int = -1) -> bytes:
        for part in self.parts:
            if data := part.read(size):
                return data
        self.sent = time.monotonic()
        return b""


def send(server: Server, archive: Path) -> tuple[float, float]:
    """Seconds from the first byte to `valid`, and from the last byte."""
    began, form = time.monotonic(), Form(archive)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = requests.post(server.url + "/api/datasets", data=form, headers=kind, timeout=600)
    dataset_id = answer.json()["dataset_id"]
    while (body := server.get(f"/api/datasets/{dataset_id}").json())["status"] == "validating":
        time.sleep(POLL_S)
    if body["status"] != "valid":
        raise RuntimeError(body["error"])
    return time.monotonic() - began, time.monotonic() - form.sent


def dataset(folder: Path, asked: argparse.Namespace) -> Figures:
    """Upload to valid, with thumbnails, hashes, statistics and findings: of noise, and of real photographs where they
    are there."""
    kinds = {"drawn": drawn} | ({"real": real} if BCCD.exists() else {})
    figures: Figures = {"images": float(asked.images)}
    for kind, pictures in kinds.items():
        home = new_folder(folder, kind)
        archive = zipped(home / "photographs.zip", pictures(asked.images))
        figures |= {f"{kind}, {name}": value for name, value in imports(home, archive).items()}
    return figures


def imports(folder: Path, archive: Path) -> Figures:
    """One archive, in both modes."""
    plain = unzip_and_decode(archive, folder / "plain")
    figures = {"ZIP, MB": archive.stat().st_size / 2**20, "unzip and decode, s": plain}
    for mode in MODES:
        home = new_folder(folder, mode)
        with Server(home, mode) as server:
            took: list[float] = []
            memory = measured_memory(home, lambda server=server, took=took: took.extend(send(server, archive)))  # type: ignore[misc]
            figures[f"{mode}: upload to valid, s"], figures[f"{mode}: end of the upload to valid, s"] = took
            figures[f"{mode}: ratio to unzip and decode"] = took[1] / plain
            figures[f"{mode}: memory of the child, MB"] = memory
            figures[f"{mode}: server, MB"] = psutil.Process(server.worker_pids()[-1]).memory_info().rss / 2**20
    return figures


def many(folder: Path, asked: argparse.Namespace) -> Figures:
    """The ingest child alone on two sizes: whether time grows with the number of images, and memory stays small."""
    figures: Figures = {}
    per_image = []
    for count in (asked.many // 10, asked.many):
        home = new_folder(folder, str(count))
        write_small(home / "1" / "source", count)
        seconds, used, memory = ingest(home)
        per_image.append(1000 * used / count)
        figures |= {f"{count} images, s": seconds, f"{count} images, MB": memory}
        figures[f"{count} images, ms of a core each"] = per_image[-1]
        shutil.rmtree(home)
    return figures | {"ratio of the work for an image": per_image[1] / per_image[0]}


def write_small(source: Path, count: int) -> None:
    """Small pictures, all different: a few hundred drawn ones, each with another comment in its JPEG."""
    rng = random.Random(1)
    drawn = [picture(rng, SMALL, 16, 70) for _ in range(200)]
    (source / "images").mkdir(parents=True)
    (source / "labels").mkdir()
    for number in range(count):
        jpeg = drawn[number % len(drawn)]
        comment = b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big")
        (source / f"images/{number:06}.jpg").write_bytes(jpeg[:2] + comment + jpeg[2:])
        rows = "".join(f"{rng.randrange(20)} 0.5 0.5 0.{row + 1} 0.3\n" for row in range(3))
        (source / f"labels/{number:06}.txt").write_text(rows)
    (source / "data.yaml").write_text(f"names: {[f'class {number}' for number in range(20)]}\n")


MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "app.worker.ingest", sys.argv[1]], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
"""


def ingest(home: Path) -> tuple[float, float, float]:
    """Seconds, seconds of all cores together, and the most memory, in MB, of the child that makes a revision."""
    work = home / "work"
    work.mkdir()
    spec = {
        "dataset": str(home / "1"), "number": 1, "wait": False, "objects": str(home / "objects"),
        "options": recipe({}, 1000), "fixes": [], "max_pixels": 64_000_000, "max_classes": 1000,
        "max_findings": 100_000, "image_size": 640,
    }  # fmt: skip
    (work / "spec.json").write_text(json.dumps(spec))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(work)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    memory, used = done.stdout.split()
    return time.monotonic() - began, float(used), int(memory) / 1024
