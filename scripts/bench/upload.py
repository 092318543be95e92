"""One upload in a plain POST."""

import argparse
import os
import shutil
import time
import zipfile
from pathlib import Path

from scripts.bench.common import Figures, Pulse, new_folder
from scripts.client import Client
from scripts.drawing import draw
from scripts.local_server import MODES, Server

FILLER_MB = 150  # makes the upload long enough to measure the delay of others


def seconds_to_copy(archive: Path, folder: Path) -> float:
    """Seconds to extract, then copy once."""
    began = time.monotonic()
    shutil.unpack_archive(archive, folder / "unpacked", "zip")
    shutil.copytree(folder / "unpacked", folder / "copied")
    return time.monotonic() - began


def upload(folder: Path, args: argparse.Namespace) -> Figures:
    """From the first byte of an upload to "valid", against unzip and cp; the delay of other requests meanwhile."""
    train = args.images * 4 // 5
    archive = draw(folder / "drawn", train=train, val=args.images - train, size=640)
    large = Path(shutil.copy(archive, folder / "large.zip"))
    with zipfile.ZipFile(large, "a") as file:
        file.writestr("filler.bin", os.urandom(FILLER_MB * 2**20))
    baseline_s = seconds_to_copy(archive, folder)
    figures = {"images": float(args.images), "ZIP, MB": archive.stat().st_size / 2**20, "unzip and cp, s": baseline_s}
    for mode in MODES:
        with Server(new_folder(folder, mode), mode) as server:
            client = Client(server.url)
            began = time.monotonic()
            client.wait_until_valid(client.upload(archive, "Bench"))
            figures[f"{mode}: upload to valid, s"] = time.monotonic() - began
            figures[f"{mode}: ratio to unzip and cp"] = (time.monotonic() - began) / baseline_s
            with Pulse(server.url) as pulse:
                client.upload(large, "Large")
            figures[f"{mode}: longest wait of others, ms"] = pulse.longest_ms
    return figures
