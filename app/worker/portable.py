"""Removes this machine's paths from weights files, in which ultralytics stores absolute paths in the arguments."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ultralytics.engine import trainer as engine

# The git repository that a checkpoint names: ultralytics', or ours, when run from one.
NO_REPOSITORY = SimpleNamespace(root="", branch=None, commit=None, message=None, origin=None)


@contextmanager
def portable_arguments(trainer: Any) -> Iterator[None]:
    """Within the block, a trainer saves paths below the data folder, or only the names of files.

    A resumed run gets its paths from its own spec, see arguments.py.
    """
    arguments, model, repository = trainer.args, trainer.ema.ema, engine.GIT
    root = Path(arguments.project).resolve().parent.parent if arguments.project else None
    before = dict(vars(model))  # args, and pt_path: the file of the initial weights
    vars(model).update(texts_without_folders(before, root))
    trainer.args = model.args = without_folders(arguments, root)
    engine.GIT = NO_REPOSITORY  # type: ignore[assignment]
    try:
        yield
    finally:
        vars(model).update(before)
        trainer.args, engine.GIT = arguments, repository


def without_folders(arguments: Any, root: Path | None) -> Any:
    """A copy of ultralytics' arguments without absolute paths."""
    portable = copy(arguments)
    vars(portable).update(texts_without_folders(vars(arguments), root))
    return portable


def texts_without_folders(values: Mapping[str, object], root: Path | None) -> dict[str, str]:
    """The values that are absolute paths, shortened."""
    paths = {name: Path(value) for name, value in values.items() if isinstance(value, str | Path) and str(value)}
    return {name: relative(path, root) for name, path in paths.items() if path.is_absolute()}


def relative(path: Path, root: Path | None) -> str:
    """The path below the data folder, otherwise its last part."""
    return str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else path.name
