"""`python -m scripts.bench`: runs the sections."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

import scripts.bench as package
from app.config import ROOT
from scripts.bench.common import Figures
from scripts.bench.datasets import dataset
from scripts.bench.evaluation import evaluation
from scripts.bench.exports import exports
from scripts.bench.fleet import fleet
from scripts.bench.label_errors import SIZE, label_errors
from scripts.bench.load import load
from scripts.bench.many import many
from scripts.bench.page import page
from scripts.bench.pages import pages
from scripts.bench.replicas import replicas
from scripts.bench.resumable import resumable
from scripts.bench.serving import serving
from scripts.bench.start import start
from scripts.bench.training import inference, training
from scripts.bench.upload import upload
from scripts.bench.video import video
from scripts.bench.workers import workers

OUTPUT = ROOT / "bench-output"

SECTIONS: dict[str, Callable[[Path, argparse.Namespace], Figures]] = {
    "start": start,
    "upload": upload,
    "resumable": resumable,
    "dataset": dataset,
    "many": many,
    "training": training,
    "inference": inference,
    "evaluation": evaluation,
    "exports": exports,
    "label_errors": label_errors,
    "serving": serving,
    "video": video,
    "load": load,
    "pages": pages,
    "page": page,
    "workers": workers,
    "fleet": fleet,
    "replicas": replicas,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(package.__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--images", type=int, default=1000, help="of the uploaded dataset")
    parser.add_argument("--epochs", type=int, default=5, help="of the trainings that are compared")
    parser.add_argument("--many", type=int, default=20_000, help="images of the largest import (100000: half an hour)")
    parser.add_argument("--viewers", type=int, default=500, help="of one running training")
    parser.add_argument("--metrics", type=int, default=300, help="epochs of each of them")
    parser.add_argument("--trainings", type=int, default=1000, help="in the database while pages are opened")
    parser.add_argument("--label-weights", type=Path, help="of label_errors; else it trains (15 minutes)")
    parser.add_argument("--serving-model", type=Path, help="folder with best.pt and data/; else one is drawn")
    parser.add_argument("--label-size", type=int, default=SIZE, help="of the images of label_errors, px")
    parser.add_argument("--postgres", default="", help="of workers: an empty database; else one of its own")
    parser.add_argument("--redis", default="", help="of workers: one that nobody else uses; else one of its own")
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - set(SECTIONS)
    if unknown:
        parser.error(f"--only: no section {', '.join(sorted(unknown))}")
    return args


def main() -> None:
    args = arguments()
    console, results = Console(highlight=False), {}
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, console.status(name):
            results[name] = SECTIONS[name](Path(folder), args)
        table = Table(name, "", title_justify="left")
        for figure, value in results[name].items():
            table.add_row(figure, f"{value:.2f}")
        console.print(table)
    OUTPUT.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg(), "python": sys.version.split()[0]}
    machine["time"] = time.strftime("%Y-%m-%dT%H:%M:%S")
    (OUTPUT / "results.json").write_text(json.dumps({"machine": machine} | results, indent=1))
    console.print(f"Written to {os.path.relpath(OUTPUT / 'results.json')}")


if __name__ == "__main__":
    main()
