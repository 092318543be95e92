"""Annotation files (JSON, XML, CSV) that are not UTF-8: which encoding they are in, and the file as UTF-8."""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from app.core.encodings import BOMS, TEXTS, best, score, without_mark
from app.worker.formats.model import Decision, Options
from app.worker.formats.readings import reading

CHUNK = 1 << 20  # bytes
HEAD = 4096  # bytes
SAMPLE = 64 * 1024  # bytes beyond ASCII, with what is round them, that are judged
# Both in time that grows with the length only: long runs of ASCII (an image in base64) have no such beginning.
BEYOND_ASCII = re.compile(rb'[\x80-\xff][^"<>\r\n,;]*')
BEFORE = re.compile(rb'[^"<>\r\n,;\x80-\xff]*\Z')
CONTEXT_BYTES = 64  # bytes before the first one beyond ASCII
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")
DECLARATION = re.compile(r"^\s*<\?xml.*?\?>", re.S)
WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "big5": "cp950"}
WIDER |= {"shift_jis": "cp932", "euc_kr": "cp949"}


@dataclass(frozen=True)
class FileEncoding:
    """An encoding; `alternatives` read the file otherwise and nearly as well, best first."""

    name: str
    alternatives: tuple[str, ...] = ()

    @property
    def usual(self) -> bool:
        return self.name.startswith("utf-8")


def encoding_of(path: Path, candidates: Sequence[str] = TEXTS) -> FileEncoding:
    """The encoding of a file: by its mark, as UTF-8, or the likeliest of the candidates."""
    stat = path.stat()
    return _encoding_of(path.absolute(), stat.st_size, stat.st_mtime_ns, tuple(candidates))


@lru_cache(maxsize=256)
def _encoding_of(path: Path, size: int, changed: int, candidates: tuple[str, ...]) -> FileEncoding:
    with open(path, "rb") as file:
        head = file.read(HEAD)
        for mark, name in BOMS:
            if head.startswith(mark):
                return FileEncoding(name)
        if wide := without_mark(head[: len(head) // 2 * 2]):
            return FileEncoding(wide)
        file.seek(0)
        if is_utf8(file):
            return FileEncoding("utf-8")
        file.seek(0)
        encoding = best(sample(file), candidates)
    return FileEncoding(encoding.encoding, encoding.alternatives)


def is_utf8(file: IO[bytes]) -> bool:
    """Whether the file is valid UTF-8."""
    codec = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(CHUNK):
            codec.decode(chunk)
        codec.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def sample(file: IO[bytes]) -> bytes:
    """The texts beyond ASCII, a line each, of as much of the file as is enough."""
    parts: list[bytes] = []
    length = 0
    while length < SAMPLE and (chunk := file.read(CHUNK)):
        for part in non_ascii_runs(chunk):
            parts.append(part)
            length += len(part)
    return b"\n".join(dict.fromkeys(parts))[:SAMPLE]


def non_ascii_runs(chunk: bytes) -> Iterator[bytes]:
    """Each run with bytes beyond ASCII, from a little before them to the next delimiter."""
    end = 0
    for match in BEYOND_ASCII.finditer(chunk):
        before = BEFORE.search(chunk[max(end, match.start() - CONTEXT_BYTES) : match.start()])
        end = match.end()
        yield (before[0] if before else b"") + match[0]


def declared_encoding(head: bytes) -> str | None:
    """The encoding that an XML file says, where Python knows it; of a code page the one that holds it."""
    match = DECLARED.match(head)
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else None
    except LookupError:
        return None
    return WIDER.get(name, name) if name and not name.startswith(("utf-8", "utf-16", "utf-32")) else None


def is_rather_utf8(declared: str, raw: bytes) -> bool:
    """Whether bytes that are UTF-8 as a whole are no text in the encoding that their file says: scripts write the
    declaration of another file, or of another time, before UTF-8.

    A word of one or two letters may be both; what reads better as people write is taken.
    """
    try:
        decoded = raw.decode(declared)
    except UnicodeDecodeError:
        return True
    text = raw.decode("utf-8", "ignore")  # the sample may end in a letter
    return max(score(text, declared), score(text, "cp1252")) > score(decoded, declared)


class Utf8File:
    """A binary file in another encoding, read as UTF-8; an XML declaration, which says that encoding, goes."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.file = file
        self.codec = codecs.getincrementaldecoder(encoding)("replace")
        self.first = True

    def read(self, size: int = -1) -> bytes:
        """At least one character of about so many bytes; empty at the end."""
        while raw := self.file.read(size):
            text = self.codec.decode(raw)
            if self.first and text:
                text, self.first = DECLARATION.sub("", text.lstrip("\ufeff"), count=1), False
            if text:
                return text.encode()
        return self.codec.decode(b"", final=True).encode()


def decisions(
    paths: Iterable[tuple[str, Path]], candidates: Sequence[str], options: Options, names: Sequence[str]
) -> list[Decision]:
    """The decision about the first of these annotation files whose encoding is ambiguous.

    Args:
        paths: name for the message, and the file.
        names: of the classes, as they were read.
    """
    for name, path in paths:
        encoding = encoding_of(path, candidates)
        if encoding.name not in TEXTS or (path.suffix.lower() == ".xml" and declared_encoding(head_of(path))):
            continue
        alternatives = list(encoding.alternatives) or [candidate for candidate in TEXTS if candidate != encoding.name]
        listed = ", ".join(entry for entry in names if not entry.isascii())[:200]
        return [
            reading(
                "encoding", encoding.name, alternatives, options, [], file=name, encoding=encoding.name, names=listed
            )
        ]
    return []


def head_of(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD)
