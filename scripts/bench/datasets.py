"""A dataset from the end of its upload to `valid`: time, memory, and the ratio to unzipping and decoding alone."""

import argparse
import multiprocessing
import os
import random
import shutil
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
from scripts.bench.common import Figures, new_folder
from scripts.local_server import MODES, Server

SIDE, QUALITY = 640, 88
GRAIN = 80  # side of the noise in pixels before scaling: about 110 KB per image
BCCD = ROOT.parent / "shared" / "datasets" / "bccd-yolo.zip"
REAL_QUALITY = 97
BOUNDARY = "bench-of-datasets"
POLL_S = 0.1  # each response costs the server a few ms of a core that the import needs


def picture(rng: random.Random, size: tuple[int, int], grain: int, quality: int) -> bytes:
    """A JPEG of smooth noise, about as large as a photograph of this size."""
    noise = Image.frombytes("RGB", (grain, grain), rng.randbytes(grain * grain * 3))
    buffer = BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def drawn(count: int) -> Iterator[bytes]:
    """Different images of 640 px: noise, the most expensive content for their size."""
    rng = random.Random(0)
    for _ in range(count):
        yield picture(rng, (SIDE, SIDE), GRAIN, QUALITY)


def real(count: int) -> Iterator[bytes]:
    """Different crops of BCCD's photographs, 640 px, at a quality that gives about 110 KB each."""
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
    """A ZIP of images with five boxes each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", "names: [a, b, c]\n")
        for number, content in enumerate(pictures):
            split = "val" if number % 5 == 0 else "train"
            archive.writestr(f"images/{split}/{number}.jpg", content)
            rows = "".join(f"{row % 3} 0.5 0.5 0.{row + 1} 0.5\n" for row in range(5))
            archive.writestr(f"labels/{split}/{number}.txt", rows)
    return path


def unzip_and_decode(archive: Path, folder: Path) -> float:
    """Seconds of the minimum work: extract, and decode each image once, at reduced size, on all cores."""
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
    """Put the highest memory use of a child process of the server below `folder`, in bytes, into `largest`. Polled
    rarely: the kernel keeps each process's peak, and polling must not slow down what is measured.
    """
    while not over.wait(0.3):
        for process in psutil.process_iter(["cmdline"]):
            if any(str(folder) in part for part in process.info["cmdline"] or []):
                largest.value = max(largest.value, peak(process.pid))  # type: ignore[attr-defined]


def peak(pid: int) -> int:
    """The peak memory of a process, in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def measured_memory(folder: Path, work: Callable[[], None]) -> float:
    """The peak memory of a child process during the work, in MB."""
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
    """A form with a name and a file, sent as it is read; `sent` is the time when its last bytes were passed on."""

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


def dataset(folder: Path, args: argparse.Namespace) -> Figures:
    """Upload to valid, with thumbnails, hashes, statistics and findings: of noise, and of real photographs if they are
    available.
    """
    kinds = {"drawn": drawn} | ({"real": real} if BCCD.exists() else {})
    figures: Figures = {"images": float(args.images)}
    for kind, pictures in kinds.items():
        home = new_folder(folder, kind)
        archive = zipped(home / "photographs.zip", pictures(args.images))
        figures |= {f"{kind}, {name}": value for name, value in imports(home, archive).items()}
    return figures


def imports(folder: Path, archive: Path) -> Figures:
    """One archive, in both modes."""
    baseline_s = unzip_and_decode(archive, folder / "plain")
    figures = {"ZIP, MB": archive.stat().st_size / 2**20, "unzip and decode, s": baseline_s}
    for mode in MODES:
        home = new_folder(folder, mode)
        with Server(home, mode) as server:
            took: list[float] = []
            memory = measured_memory(home, lambda server=server, took=took: took.extend(send(server, archive)))  # type: ignore[misc]
            figures[f"{mode}: upload to valid, s"], figures[f"{mode}: end of the upload to valid, s"] = took
            figures[f"{mode}: ratio to unzip and decode"] = took[1] / baseline_s
            figures[f"{mode}: memory of the child, MB"] = memory
            figures[f"{mode}: server, MB"] = psutil.Process(server.worker_pids()[-1]).memory_info().rss / 2**20
    return figures
