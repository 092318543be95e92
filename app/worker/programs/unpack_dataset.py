"""Extracts an upload unchanged: `original.zip` in the dataset's folder to `source/` beside it.

spec.json: see `ImportSpec`. Result: see `Unpacked`.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict

from app.core.imports import ImportSpec
from app.worker.channel import Channel
from app.worker.importing.incoming_files import IncomingFiles


def run(channel: Channel) -> Mapping[str, object]:
    """Extract the upload."""
    spec = ImportSpec.of(channel.spec)
    os.chdir(spec.dataset)
    arrival = IncomingFiles(spec, lambda _received, _total: None, lambda _name: None)
    arrival.fetch()
    arrival.wait_until_synced()
    return asdict(arrival.unpacked)
