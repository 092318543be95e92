"""How soon the server answers after its start, and its memory."""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from scripts.bench.common import Figures, new_folder
from scripts.local_server import MODES, Server


def bare_start() -> float:
    """Seconds for an interpreter to import the three libraries that every such server needs."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import gunicorn.app.wsgiapp, flask, sqlalchemy.orm"], check=True)
    return time.monotonic() - began


def start(folder: Path, _args: argparse.Namespace) -> Figures:
    """Seconds from `python run.py` to the first response on an existing database (median of 5), and resident memory."""
    figures = {"bare imports, s": statistics.median(bare_start() for _ in range(5))}
    for mode in MODES:
        seconds = []
        # With compiled modules on the disk, as at every start but the first: else the compiler is what is measured.
        with Server(new_folder(folder, mode), mode, PYTHONDONTWRITEBYTECODE="") as server:
            for _ in range(5):
                server.stop()
                seconds.append(server.start().first_answer_s)
            resident = psutil.Process(server.worker_pids()[-1]).memory_info().rss
        figures[f"{mode}: first answer, s"] = statistics.median(seconds)
        figures[f"{mode}: ratio to bare imports"] = figures[f"{mode}: first answer, s"] / figures["bare imports, s"]
        figures[f"{mode}: resident, MB"] = resident / 2**20
    return figures
