"""Annotation files (JSON, XML, CSV) that are not UTF-8: detects their encoding, and reads them as UTF-8."""

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
SAMPLE = 64 * 1024  # bytes beyond ASCII that are judged, with their context
# Both are linear in the length: long runs of ASCII (a base64 image) do not match.
BEYOND_ASCII = re.compile(rb'[\x80-\xff][^"<>\r\n,;]*')
BEFORE = re.compile(rb'[^"<>\r\n,;\x80-\xff]*\Z')
CONTEXT_BYTES = 64  # bytes before the first one beyond ASCII
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")
DECLARATION = re.compile(r"^\s*<\?xml.*?\?>", re.S)
WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "big5": "cp950"}
WIDER |= {"shift_jis": "cp932", "euc_kr": "cp949"}


@dataclass(frozen=True)
class FileEncoding:
    """An encoding; `alternatives` score nearly as well with another text, best first."""

    name: str
    alternatives: tuple[str, ...] = ()

    @property
    def usual(self) -> bool:
        return self.name.startswith("utf-8")


def encoding_of(path: Path, candidates: Sequence[str] = TEXTS) -> FileEncoding:
    """The encoding of a file: by its byte order mark, as UTF-8, or the likeliest candidate."""
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
    """Texts beyond ASCII, one per line, from a sufficient part of the file."""
    parts: list[bytes] = []
    length = 0
    while length < SAMPLE and (chunk := file.read(CHUNK)):
        for part in non_ascii_runs(chunk):
            parts.append(part)
            length += len(part)
    return b"\n".join(dict.fromkeys(parts))[:SAMPLE]


def non_ascii_runs(chunk: bytes) -> Iterator[bytes]:
    """Each run with bytes beyond ASCII, from a little before it to the next delimiter."""
    end = 0
    for match in BEYOND_ASCII.finditer(chunk):
        before = BEFORE.search(chunk[max(end, match.start() - CONTEXT_BYTES) : match.start()])
        end = match.end()
        yield (before[0] if before else b"") + match[0]


def declared_encoding(head: bytes) -> str | None:
    """The encoding declared in an XML file, if Python knows it; of a code page, its superset."""
    match = DECLARED.match(head)
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else None
    except LookupError:
        return None
    return WIDER.get(name, name) if name and not name.startswith(("utf-8", "utf-16", "utf-32")) else None


def is_rather_utf8(declared: str, raw: bytes) -> bool:
    """Whether bytes that are valid UTF-8 are not in the encoding that their file declares: scripts copy the declaration
    of another file.

    A word of one or two letters may be valid in both; the better score decides.
    """
    try:
        decoded = raw.decode(declared)
    except UnicodeDecodeError:
        return True
    text = raw.decode("utf-8", "ignore")  # the sample may end inside a character
    return max(score(text, declared), score(text, "cp1252")) > score(decoded, declared)


class Utf8File:
    """A binary file in another encoding, read as UTF-8; its XML declaration, which names that encoding, is removed."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.file = file
        self.codec = codecs.getincrementaldecoder(encoding)("replace")
        self.first = True

    def read(self, size: int = -1) -> bytes:
        """At least one character, of about so many bytes; empty at the end."""
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
    """The decision about the first of these annotation files with an ambiguous encoding.

    Args:
        paths: name for the message, and the file.
        names: of the classes, as read.
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
