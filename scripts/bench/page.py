"""What the training page costs in Chromium while a training runs.

A real server with a training of 300 recorded epochs with previews, and the page open on it. The server's messages are
passed directly to the page's socket handler: an epoch with its metrics, repeatedly; then ten minutes of batches, four
per second, as fast as the page draws them. Figures: the main thread's CPU time (not wall time, since the machine may be
busy) of an update, for all tasks of the browser and for scripts alone; its longest task; and the heap's growth after a
garbage collection.

The main thread's time includes everything until the update is complete: script, style, layout, paint and, as this
browser has no GPU, rasterizing the canvases, which a GPU would do elsewhere. It does not include the compositor and the
raster threads. Each update is measured alone, minus the cost of measuring; `main thread` is the mean, with the median
and the maximum beside it.
"""

import argparse
import io
import json
import os
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import CDPSession, Page, sync_playwright

from app import create_app
from app.database import writing
from app.models import Dataset, Training, TrainingMetric
from scripts.bench.common import Figures
from scripts.local_server import Server

EPOCHS = 300
EACH = 8  # updates at each scroll position, and as many again in a trace
SECTIONS = (("top", 0), ("charts", 700), ("previews", 1900), ("classes", 2800))
UPDATES = 2 * EACH * len(SECTIONS)
PAUSE_MS = 400  # between updates: each must be complete before the next
BATCHES = 2400  # ten minutes, four per second
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
CLASSES = ("circle", "square", "triangle")

FIND_TRAINING_ROOM = """
async () => {
  const address = document.querySelector('script[src*="js/ui/shell"]').src.replace("ui/shell.js", "lib/socket.js");
  const { live } = await import(address);
  window.room = [...live.rooms].find(({ name }) => name === "training");
}
"""
DELIVER = """
([name, payloads]) => {
  const id = window.room.payload.training_id;
  for (const payload of payloads) {
    window.room.receive(name, { ...payload, training_id: id, seq: window.room.seqs.get(id) + 1 });
  }
}
"""


def metric(epoch: int) -> dict[str, object]:
    """The metrics of an epoch of a detection with three classes: 12 series and the classes."""
    progress = epoch / EPOCHS
    names = ("train/box_loss", "train/cls_loss", "train/dfl_loss", "val/box_loss", "val/cls_loss", "val/dfl_loss")
    parts = {name: 3.0 / (1 + 4 * progress) + (epoch * (index + 3) % 7) / 50 for index, name in enumerate(names)}
    value = 0.9 * progress**0.5
    classes = [
        {"class": index, "ap50": value, "ap95": value / 2, "precision": value, "recall": value, "instances": 60}
        for index in range(len(CLASSES))
    ]
    measures = {"precision": value, "recall": value * 0.9, "map50": value, "map95": value * 0.6}
    losses = {"loss": sum(list(parts.values())[:3]), "val_loss": sum(list(parts.values())[3:])}
    return measures | losses | {"learning_rate": 0.01 * (1 - progress / 2), "parts": parts, "classes": classes}


def record(server: Server) -> int:
    """Create a paused training with its epochs, and previews of them; returns its id."""
    app = create_app("cli", server.settings)
    now = datetime.now(UTC)
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Bench", status="valid", classes=list(CLASSES))
        training = Training(
            name="Bench",
            dataset=dataset,
            model_version="n",
            status="paused",
            epochs=2 * EPOCHS,
            total_epochs=2 * EPOCHS,
        )
        training.current_epoch, training.pause_reason = EPOCHS, "asked"
        session.add(training)
        session.flush()
        for epoch in range(1, EPOCHS + 1):
            session.add(TrainingMetric(training_id=training.id, epoch=epoch, timestamp=now, **metric(epoch)))
        number = training.id
    write_previews(Path(app.config["MODELS_DIR"]) / str(number) / "previews")
    return number


def write_previews(folder: Path) -> None:
    folder.mkdir(parents=True)
    picture = io.BytesIO()
    Image.new("RGB", (320, 240), "#889").save(picture, "JPEG")
    shapes = [
        {"class": index % 3, "conf": 0.8, "box": [0.1 * index, 0.1, 0.1 * index + 0.2, 0.5]} for index in range(6)
    ]
    image = {"file": "a.jpg", "width": 320, "height": 240, "truth": shapes}
    (folder / "index.json").write_text(json.dumps({"task": "detect", "names": CLASSES, "images": [image] * 12}))
    for number in range(12):
        (folder / f"image-{number}.jpg").write_bytes(picture.getvalue())
    for epoch in range(1, EPOCHS + UPDATES + 1):
        (folder / f"epoch-{epoch}.json").write_text(json.dumps({"epoch": epoch, "images": [shapes] * 12}))


def spent_ms(session: CDPSession) -> dict[str, float]:
    """CPU time of the page's main thread so far, ms: in all, and of its parts."""
    values = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    names = {"main thread": "TaskDuration", "script": "ScriptDuration", "layout": "LayoutDuration"}
    return {name: 1000 * values[key] for name, key in names.items()} | {"style": 1000 * values["RecalcStyleDuration"]}


def less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items()}


def update(epoch: int) -> dict[str, object]:
    """A training_update as the server sends it."""
    values = metric(epoch)
    parts, classes = values.pop("parts"), values.pop("classes")
    more = {"status": "running", "eta": 100.0, "seconds": 10.0, "fitness": 0.5, "timestamp": "2026-01-01T00:00:00Z"}
    return {"epoch": epoch, "metrics": values, "parts": parts, "classes": classes} | more


def updates(page: Page, session: CDPSession) -> dict[str, float]:
    """The cost of an epoch's message, at the top of the page and with charts on the screen."""
    figures = {}
    epoch = EPOCHS
    for section, scroll in SECTIONS:
        page.evaluate(f"window.scrollTo(0, {scroll})")
        page.wait_for_timeout(1500)
        # The same message under a name without listeners: the cost of measuring.
        nothing = mean([message_cost(page, session, "bench_nothing", epoch) for _ in range(EACH)])
        costs = [less(message_cost(page, session, "training_update", epoch + n), nothing) for n in range(1, EACH + 1)]
        epoch += EACH
        figures |= {f"update, {section}: {name}, ms": value for name, value in mean(costs).items()}
        totals = [cost["main thread"] for cost in costs]
        figures[f"update, {section}: main thread, median, ms"] = statistics.median(totals)
        figures[f"update, {section}: main thread, largest, ms"] = max(totals)
        figures[f"update, {section}: longest task, ms"] = longest_task(
            page, session, range(epoch + 1, epoch + EACH + 1)
        )
        epoch += EACH
    return figures


def mean(costs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.mean(cost[name] for cost in costs) for name in costs[0]}


def message_cost(page: Page, session: CDPSession, name: str, epoch: int) -> dict[str, float]:
    """The cost of an epoch's message under this name until its update is complete."""
    began = spent_ms(session)
    page.evaluate(DELIVER, [name, [update(epoch)]])
    page.wait_for_timeout(PAUSE_MS)
    return less(spent_ms(session), began)


def longest_task(page: Page, session: CDPSession, epochs: range) -> float:
    """The longest task of the main thread during these updates, ms of CPU time.

    The page is unresponsive for that long. From a trace, which makes each task somewhat longer.
    """
    events: list[dict[str, Any]] = []
    ended: list[Any] = []
    session.on("Tracing.dataCollected", lambda piece: events.extend(piece["value"]))
    session.on("Tracing.tracingComplete", lambda result: ended.append(result))
    config = {"includedCategories": ["toplevel"], "recordMode": "recordAsMuchAsPossible"}
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
    for epoch in epochs:
        page.evaluate(DELIVER, ["training_update", [update(epoch)]])
        page.wait_for_timeout(PAUSE_MS)
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return max(event.get("tdur", 0) for event in events if (event["pid"], event["tid"]) in mains) / 1000


def heap_mb(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def batches(page: Page, session: CDPSession) -> dict[str, float]:
    """The heap after ten minutes of batches, with the machine's figures and the log between them."""
    page.evaluate("window.scrollTo(0, 1600)")
    page.wait_for_timeout(500)
    before = heap_mb(session)
    figures = {
        "cpu": 50.0,
        "memory_used": 2**30,
        "memory_total": 2**34,
        "process_memory": 2**29,
        "disk_read": 1.0,
        "disk_write": 2.0,
        "net_sent": 3.0,
        "net_received": 4.0,
        "gpus": [],
    }
    first, offset = EPOCHS + UPDATES, 0
    for start in range(0, BATCHES, 8):  # two seconds
        messages = []
        for number in range(start, start + 8):
            epoch, batch = first + number // 100, number % 100 + 1
            progress = {"epoch": epoch, "batch": batch, "batches": 100, "loss": 2.0 + (number % 13) / 10, "parts": {}}
            messages.append({"progress": progress, "eta": 100.0, "status": "running"})
        page.evaluate(DELIVER, ["training_progress", messages])
        page.evaluate(DELIVER, ["training_system", [figures]])
        text = f"{start:6d} a line of the log with some figures in it, as ultralytics writes them\n"
        piece = {"text": text, "offset": offset + len(text), "start": offset, "attempt": 1}
        offset += len(text)
        page.evaluate(DELIVER, ["training_log", [piece]])
        page.wait_for_timeout(20)
    page.wait_for_timeout(500)
    after = heap_mb(session)
    return {"heap before, MB": before, "heap after 10 minutes of batches, MB": after, "heap growth, MB": after - before}


def page(folder: Path, _args: argparse.Namespace) -> Figures:
    """Main-thread time of a live update, by what is on the screen; growth of the heap during ten minutes of batches."""
    with Server(folder, "threading") as server, sync_playwright() as playwright:
        number = record(server)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en")
        opened.goto(f"{server.url}/trainings/{number}")
        opened.wait_for_selector("[data-metric=map50]")
        opened.wait_for_timeout(3000)
        session = opened.context.new_cdp_session(opened)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU time of the thread
        opened.evaluate(FIND_TRAINING_ROOM)
        figures = updates(opened, session) | batches(opened, session)
        browser.close()
    return figures
