"""Datasets as people have them: what a folder holds, and how it is read. Pure: reads below one folder, writes nothing.

    found = detect(folder, task)                 the datasets in it, best first; empty: none
    source = read(folder, choose(found, options), options)

Everything here is from an untrusted file: no name leads out of the folder, no entity, alias or tag is expanded, and
what cannot be used is a finding or `Refused`.
"""

from pathlib import Path

from app.worker.formats.model import Found, Item, Options, Refused, Row, Source


def detect(folder: Path, task: str = "auto") -> list[Found]:
    """The datasets below a folder: complete ones first, then the outermost, then the largest.

    Raises:
        Refused: there is none; the reason counts what was found.
    """
    raise NotImplementedError


def choose(found: list[Found], options: Options) -> Found:
    """The dataset that is read: that of `options.root`, else the first.

    Raises:
        Refused: there is no dataset at `options.root`.
    """
    raise NotImplementedError


def read(folder: Path, found: Found, options: Options) -> Source:
    """The dataset's images, labels and classes, with every choice and loss on the way; see `Source`.

    Raises:
        Refused: it cannot be used.
    """
    raise NotImplementedError
