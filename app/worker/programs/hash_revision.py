"""Hashes the current version of a dataset: its images, labels, classes and split.

spec.json: see `HashSpec`. Result: `revision`.
"""

from pathlib import Path

from app.core.programs import HashResult, HashSpec
from app.worker.channel import Channel
from app.worker.revision import dataset_revision


def run(channel: Channel) -> HashResult:
    """Hash the version that the spec names."""
    return {"revision": dataset_revision(Path(HashSpec.of(channel.spec).data))}
