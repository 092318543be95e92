"""Writes the detections of a video: JSON, and a CSV with one row each."""

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from app.core.names import defused
from app.core.predictions import DETECTIONS_CSV, DETECTIONS_JSON, ClassCount
from app.core.shapes import TrackedDetection

COLUMNS = ("frame", "time", "track_id", "class", "confidence", "x1", "y1", "x2", "y2")


class DetectionLists:
    """Writes the detections of a video while it is processed; complete once `close` returns.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self.json = open(folder / DETECTIONS_JSON, "x", encoding="utf-8")  # noqa: SIM115 (until `close`)
        self.csv = open(folder / DETECTIONS_CSV, "x", encoding="utf-8", newline="")  # noqa: SIM115
        self.table = csv.writer(self.csv)
        self.table.writerow(COLUMNS)
        self.json.write('{"frames": [')
        self.frames, self.bytes = 0, 0
        self.counts: Counter[str] = Counter()
        self.tracks: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, number: int, time: float, detections: list[TrackedDetection]) -> None:
        """Add a frame."""
        row = {"frame": number, "time": round(time, 4), "detections": detections}
        text = json.dumps(row, ensure_ascii=False)
        self.json.write((",\n" if self.frames else "\n") + text)
        self.frames, self.bytes = self.frames + 1, self.bytes + 2 * len(text)
        for item in detections:
            self.count(item)
            box = [item["bbox"][index] for index in range(4)]
            cells = (number, round(time, 4), item.get("track_id"), defused(item["class"]), item["confidence"], *box)
            self.table.writerow(cells)

    def count(self, item: TrackedDetection) -> None:
        self.counts[item["class"]] += 1
        track = item.get("track_id")
        if track is not None:
            self.tracks[item["class"]].add(track)

    def classes(self) -> list[ClassCount]:
        """Most frequent first: detections, and tracked objects."""
        return [
            {"class": name, "detections": count, "tracks": len(self.tracks[name])}
            for name, count in self.counts.most_common()
        ]

    def close(self, about: Mapping[str, object]) -> None:
        """Complete and sync the files; `about`: further content of the JSON."""
        rest = json.dumps(about, ensure_ascii=False)
        self.json.write(f"\n], {rest[1:]}\n" if about else "\n]}\n")
        for file in (self.json, self.csv):
            file.flush()
            os.fsync(file.fileno())
            file.close()

    def abandon(self) -> None:
        self.json.close()
        self.csv.close()
