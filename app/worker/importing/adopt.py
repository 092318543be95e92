"""Adopts datasets from before versions existed."""

import os
import shutil
from pathlib import Path

from app.worker.objects import link
from app.worker.revision import GENERATED_SUFFIXES


def link_source(dataset: Path) -> None:
    """Create `source/` for a dataset from before versions existed, by hard links, so that it stays usable meanwhile."""
    if (dataset / "source").is_dir():
        return
    draft = dataset / ".source.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    for folder, below in (
        (dataset / "images", "images"),
        (dataset / "labels", "labels"),
        (dataset / "set_aside" / "images", "images"),
    ):
        for parent, _folders, names in os.walk(folder):
            target = draft / below / os.path.relpath(parent, folder)
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                if os.path.splitext(name)[1] not in GENERATED_SUFFIXES:
                    link(Path(parent, name), target / name)
    shutil.copyfile(dataset / "dataset.yaml", draft / "data.yaml")
    os.replace(draft, dataset / "source")
