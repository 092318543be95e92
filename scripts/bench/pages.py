"""How soon each page is usable, and how much script and style it loads, in Chromium on the real server.

The database has the requested number of trainings. Each page is opened several times on loopback, in a browser profile
of its own, and then again with a warm cache; the figures are medians. A page is usable once its largest paint is done
and, if it has charts, the first of them is drawn.
"""

import argparse
import gzip
import math
import os
import random
import statistics
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Checkpoint, Dataset, Training, TrainingEvent, TrainingMetric, now
from scripts.bench.common import Figures
from scripts.local_server import Server

PAGES = {
    "dashboard": "/",
    "datasets": "/datasets",
    "dataset": "/datasets/1",
    "trainings": "/trainings",
    "trainings, by mAP50": "/trainings?sort=-map50",
    "training": "/trainings/1",
    "compare 10": "/compare?ids=1,2,3,4,5,6,7,8,9,10",
    "new training": "/trainings/new",
    "test": "/tests",
    "system": "/system",
}
CHARTS = {"trainings", "trainings, by mAP50", "training", "compare 10"}  # the other pages have no charts at first
TIMES = 5  # openings of each page
LIMITS = {"ms": 800, "kB": 350}
STATUSES = ("completed", "completed", "completed", "completed", "failed", "cancelled")

# Runs in the page before its own scripts: records the time of the largest paint and of the first curve on the screen.
WATCH = """
window.measured = {paint: 0, chart: 0};
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.measured.paint = entry.startTime; })
  .observe({type: "largest-contentful-paint", buffered: true});
const drawn = () => {
  const plot = [...document.querySelectorAll("[data-charts] canvas")].some((canvas) =>
    window.Chart?.getChart(canvas)?.data.datasets.some(({data}) => data.length));
  if (plot || document.querySelector(".small-curve-line")) window.measured.chart = performance.now();
  else requestAnimationFrame(drawn);
};
requestAnimationFrame(drawn);
"""


def curve(quality: float, epochs: int, noise: random.Random) -> list[dict[str, object]]:
    """The metrics of a training, with parts and classes, since their length is what makes reading slow."""
    rows: list[dict[str, object]] = []
    for epoch in range(1, epochs + 1):
        progress = quality * (1 - math.exp(-4 * epoch / epochs)) * (1 + 0.02 * noise.random())
        loss = 6 - 4 * progress
        parts = {f"{side}/{name}_loss": loss / 3 for side in ("train", "val") for name in ("box", "cls", "dfl")}
        classes = [
            {"class": n, "ap50": progress, "ap95": progress / 2, "precision": 0.9, "recall": 0.8} for n in range(3)
        ]
        rows.append(
            {
                "epoch": epoch,
                "loss": loss,
                "val_loss": loss + 0.3,
                "precision": 0.9 * progress,
                "recall": 0.8 * progress,
                "map50": 0.9 * progress,
                "map95": 0.6 * progress,
                "learning_rate": 0.01 * (1 - epoch / epochs),
                "fitness": 0.6 * progress,
                "seconds": 12.0 + noise.random(),
                "timestamp": now(),
                "parts": parts,
                "classes": classes,
                "timing": {"load": 1.0, "train": 10.0, "val": 1.0},
                "seq": epoch,
            }
        )
    return rows


def fill(uri: str, trainings: int, epochs: int, datasets: int = 40) -> None:
    """Insert rows as after years of use."""
    noise = random.Random(0)
    engine = create_engine(uri)
    with Session(engine) as session:
        sets = [
            Dataset(
                name=f"Dataset {n}",
                classes=["circle", "square", "triangle"],
                total_images=1000,
                train_images=800,
                val_images=150,
                test_images=50,
                status="valid",
                size_bytes=10**8,
                report={"boxes": {"0": 900, "1": 800, "2": 700}},
            )
            for n in range(1, datasets + 1)
        ]
        session.add_all(sets)
        session.commit()
        ids = [item.id for item in sets]
        for number in range(trainings):
            row = Training(
                name=f"Run {number:04}",
                dataset_id=ids[number % len(ids)],
                model_version="nsmlx"[number % 5],
                epochs=epochs,
                total_epochs=epochs,
                current_epoch=epochs,
                status=STATUSES[number % len(STATUSES)],
                start_time=now(),
                end_time=now(),
                params={"optimizer": "auto", "mosaic": number % 2},
                device="cpu",
                seq=epochs,
            )
            session.add(row)
            session.flush()
            metrics = [{"training_id": row.id, **values} for values in curve(0.5 + 0.5 * noise.random(), epochs, noise)]
            session.execute(insert(TrainingMetric), metrics)
            session.add(Checkpoint(training_id=row.id, epoch=epochs, model_path="run/weights/best.pt", is_best=True))
            if number < 20:
                events = [
                    {"training_id": row.id, "seq": n, "event": "training_update", "payload": {}}
                    for n in range(1, epochs)
                ]
                session.execute(insert(TrainingEvent), events)
            if number % 50 == 0:
                session.commit()
        session.commit()
    engine.dispose()


def weigh(page: Page) -> dict[str, int]:
    """Bytes of scripts and styles that the page loads, as transferred (compressed if the server compresses them)."""
    sizes: dict[str, int] = {}

    def note(response: Any) -> None:
        if response.request.resource_type in {"script", "stylesheet"}:
            length = response.headers.get("content-length")
            body = response.body() if length is None or response.headers.get("content-encoding") is None else b""
            sizes[response.url] = int(length) if length and not body else len(gzip.compress(body))

    page.on("response", note)
    return sizes


def measure(browser: Browser, server: Server, name: str, times: int) -> Figures:
    """Medians of `times` openings, each in a browser profile of its own, and then with a warm cache."""
    first, again, work, weight = [], [], [], 0
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(WATCH)
        page = context.new_page()
        weights = weigh(page)
        first.append(usable(page, server.url + PAGES[name], name))
        weight = sum(weights.values())
        before = browser_seconds() + server_seconds(server)
        again.append(usable(page, server.url + PAGES[name], name))
        work.append(browser_seconds() + server_seconds(server) - before)
        context.close()
    return {
        f"{name}: usable, empty cache, ms": statistics.median(first),
        f"{name}: usable, ms": statistics.median(again),
        f"{name}: processor time of browser and server, ms": 1000 * statistics.median(work),
        f"{name}: script and style, gzipped, kB": weight / 1000,
    }


def browser_seconds() -> float:
    """CPU time of all processes of the browser, drawing included: independent of the machine's other load."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "chrom" in process.name():
                spent += process.cpu_times().user + process.cpu_times().system
    return spent


def server_seconds(server: Server) -> float:
    """CPU time of the server since its start."""
    times = [psutil.Process(pid).cpu_times() for pid in server.worker_pids()]
    return sum(item.user + item.system for item in times)


def usable(page: Page, url: str, name: str) -> float:
    """Milliseconds from the navigation until the largest paint and the first chart."""
    page.goto(url, wait_until="load")
    for _ in range(200):
        if name not in CHARTS or page.evaluate("window.measured.chart > 0"):
            break
        page.wait_for_timeout(50)
    else:
        raise RuntimeError(f"{name}: no chart was drawn")
    page.wait_for_timeout(500)  # a later, larger paint counts
    measured = page.evaluate("window.measured")
    return max(measured["paint"], measured["chart"] if name in CHARTS else 0.0)


def pages(folder: Path, args: argparse.Namespace) -> Figures:
    """Every page, on a server with a full database."""
    figures: Figures = {"trainings": float(args.trainings), "epochs of each": float(args.metrics)}
    figures["load of the machine before"] = os.getloadavg()[0]
    with Server(folder, "threading") as server, sync_playwright() as playwright:
        fill(database_uri(server.settings["DATABASE_URL"]), args.trainings, args.metrics)
        chromium = which("chromium") or which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, path in PAGES.items():
            server.get(path)  # templates and modules are loaded once before measuring
            figures |= measure(browser, server, name, TIMES)
        browser.close()
    over = [
        name
        for name, value in figures.items()
        if value > (math.inf if "processor" in name else LIMITS.get(name.rpartition(", ")[2], math.inf))
    ]
    return figures | {f"over the limit: {name}": figures[name] for name in over}
