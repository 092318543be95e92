"""Viewers of one running training over Socket.IO: the delay of its messages, and their cost for the server."""

import argparse
from pathlib import Path

from scripts.bench.common import Figures, new_folder
from scripts.load import measure
from scripts.local_server import MODES

MESSAGES, PAUSE_S = 80, 0.25


def load(folder: Path, args: argparse.Namespace) -> Figures:
    """`args.viewers` viewers in each mode, and the server's CPU without viewers for comparison."""
    figures: Figures = {"viewers": float(args.viewers), "messages a second": 1 / PAUSE_S}
    for mode in MODES:
        alone = measure(new_folder(folder, f"{mode}-alone"), mode, 0, MESSAGES, PAUSE_S)
        measured = measure(new_folder(folder, mode), mode, args.viewers, MESSAGES, PAUSE_S)
        if not measured["all the same"] or measured["most often"] != 1:
            raise RuntimeError(f"{mode}: viewers heard different messages, or one twice: {measured}")
        figures[f"{mode}: p50, ms"], figures[f"{mode}: p99, ms"] = measured["p50, ms"], measured["p99, ms"]
        figures[f"{mode}: commits a minute"] = 60 * measured["commits"] / (MESSAGES * PAUSE_S)
        figures[f"{mode}: server CPU, s"] = measured["server CPU, s"]
        figures[f"{mode}: server CPU without viewers, s"] = alone["server CPU, s"]
    return figures
