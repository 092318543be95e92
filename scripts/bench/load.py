"""Viewers of one running training over Socket.IO: how late its messages come, and what they cost the server."""

import argparse
from pathlib import Path

from scripts.bench.common import Figures, new_folder
from scripts.load import measure
from scripts.local_server import MODES

MESSAGES, PAUSE_S = 80, 0.25


def load(folder: Path, asked: argparse.Namespace) -> Figures:
    """`asked.viewers` viewers in each mode, and the server's CPU without any for comparison."""
    figures: Figures = {"viewers": float(asked.viewers), "messages a second": 1 / PAUSE_S}
    for mode in MODES:
        alone = measure(new_folder(folder, f"{mode}-alone"), mode, 0, MESSAGES, PAUSE_S)
        seen = measure(new_folder(folder, mode), mode, asked.viewers, MESSAGES, PAUSE_S)
        if not seen["all the same"] or seen["most often"] != 1:
            raise RuntimeError(f"{mode}: viewers heard different messages, or one twice: {seen}")
        figures[f"{mode}: p50, ms"], figures[f"{mode}: p99, ms"] = seen["p50, ms"], seen["p99, ms"]
        figures[f"{mode}: commits a minute"] = 60 * seen["commits"] / (MESSAGES * PAUSE_S)
        figures[f"{mode}: server CPU, s"] = seen["server CPU, s"]
        figures[f"{mode}: server CPU without viewers, s"] = alone["server CPU, s"]
    return figures
