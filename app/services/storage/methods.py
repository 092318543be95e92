"""How members of a ZIP are packed: what can be read here, in small steps, and what the others are called."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from app.services.storage.directory import BZIP2, DEFLATED, LZMA, STORED

READABLE = {STORED, DEFLATED, BZIP2, LZMA}
CALLED = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 10: "IBM TERSE", 16: "IBM CMPSC", 18: "IBM TERSE", 19: "IBM LZ77",
    20: "Zstandard", 93: "Zstandard", 94: "MP3", 95: "xz", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES",
}  # fmt: skip
MAX_DICTIONARY = 64 * 1024**2  # bytes that LZMA may ask for: what 7-Zip's strongest setting uses
LZMA_HEADER = 9  # bytes: version of the SDK, length of the properties, properties


class Broken(Exception):
    """The packed data cannot be read."""


class Unpacker(Protocol):
    """Takes packed bytes, gives what is in them."""

    @property
    def whole(self) -> bool:
        """Whether the data's own end mark was seen, or there need not be one."""

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        """At most `most` bytes of output, the input that is left, and whether more output may come without input.

        Raises:
            Broken
        """


def unpacker(method: int) -> Unpacker:
    """A new one for a member."""
    kinds: dict[int, Callable[[], Unpacker]] = {STORED: Stored, DEFLATED: Inflate, BZIP2: Bunzip, LZMA: Unlzma}
    return kinds[method]()


class Stored:
    whole = True

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        return data[:most], data[most:], False


class Inflate:
    def __init__(self) -> None:
        self.inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def whole(self) -> bool:
        return self.inflater.eof

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        try:
            out = self.inflater.decompress(data, most)
        except zlib.error as error:
            raise Broken from error
        # A full step may leave output inside; the next one takes it, with or without input.
        return out, self.inflater.unconsumed_tail, len(out) == most and not self.inflater.eof


class Hungry:
    """A decompressor of the standard library that keeps its own input."""

    def __init__(self) -> None:
        self.inner: Any = None

    @property
    def whole(self) -> bool:
        return True  # size and checksum decide

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        if self.inner.eof:
            return b"", b"", False
        try:
            out = self.inner.decompress(data, most)
        except (OSError, lzma.LZMAError, ValueError, EOFError) as error:
            raise Broken from error
        return out, b"", not self.inner.eof and not self.inner.needs_input


class Bunzip(Hungry):
    def __init__(self) -> None:
        self.inner = bz2.BZ2Decompressor()


class Unlzma(Hungry):
    """LZMA as a ZIP has it: its properties come first (APPNOTE 5.8.8)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = b""

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        if self.inner is None:
            self.head += data
            if len(self.head) < LZMA_HEADER:
                return b"", b"", False
            data, self.inner = self.head[LZMA_HEADER:], lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[self.filter()])
        return super().step(data, most)

    def filter(self) -> dict[str, int]:
        length, kind = int.from_bytes(self.head[2:4], "little"), self.head[4]
        size = int.from_bytes(self.head[5:9], "little")
        if length != 5 or kind >= 225 or size > MAX_DICTIONARY:
            raise Broken
        return {"id": lzma.FILTER_LZMA1, "dict_size": max(size, 4096), "lc": kind % 9, "lp": kind // 9 % 5,
                "pb": kind // 45}  # fmt: skip
