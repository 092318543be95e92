"""The boxes of HEIC, AVIF and MP4 files (ISO 14496-12, 23008-12): the cost of decoding, known before it begins.
Standard library only.
"""

import struct
from collections.abc import Iterator
from typing import IO

MOST_HEADER = 64 * 2**20  # bytes of `meta` or `moov`: hours of video have one or two megabytes
MOST_SAMPLES = 5_000_000  # per track: 23 hours at 60 frames a second
MOST_TILES = 65_536  # per image: 256 × 256, the maximum of a grid


class TooLong(Exception):
    """A header is larger, or describes more, than that of any legitimate file."""


def boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(kind, content offset, end) of consecutive boxes."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, begin)
        head = 8
        if size == 1 and begin + 16 <= end:
            (size,), head = struct.unpack_from(">Q", data, begin + 8), 16
        elif size == 0:
            size = end - begin
        if size < head:
            return
        yield kind, begin + head, min(begin + size, end)
        begin += size


def header(file: IO[bytes], kind: bytes) -> bytes:
    """The contents of the first box of this kind in a file; empty if there is none.

    Raises:
        TooLong
    """
    begin = 0
    for _ in range(MOST_TILES):
        file.seek(begin)
        head = file.read(16)
        if len(head) < 8:
            return b""
        size, name = struct.unpack_from(">I4s", head)
        start = 8
        if size == 1 and len(head) == 16:
            (size,), start = struct.unpack_from(">Q", head, 8), 16
        if name == kind:
            if size - start > MOST_HEADER:
                raise TooLong(f"{kind.decode()} of {size} bytes")
            file.seek(begin + start)
            return file.read(size - start if size else MOST_HEADER)
        if size < start:
            return b""
        begin += size
    raise TooLong("boxes")


def tile_pixels(file: IO[bytes]) -> int:
    """Total pixels of the tiles and layers that the main image of a HEIC or AVIF is composed of, counted once per use;
    0 for a single piece.

    Raises:
        TooLong: it has too many boxes or tiles.
        struct.error: it is damaged.
        IndexError: the same.
    """
    meta = header(file, b"meta")
    parts = {kind: (begin, end) for kind, begin, end in boxes(meta, 4)}
    if not {b"pitm", b"iref", b"iprp"} <= parts.keys():
        return 0
    areas, edges = areas_of(meta, *parts[b"iprp"]), edges_of(meta, *parts[b"iref"])
    begin, _ = parts[b"pitm"]
    main = int.from_bytes(meta[begin + 4 : begin + (6 if meta[begin] == 0 else 8)], "big")
    total, waiting, count = 0, list(edges.get(main, ())), 0
    while waiting:
        count += 1
        if count > MOST_TILES:
            raise TooLong("tiles")
        item = waiting.pop()
        total += areas.get(item, 0)
        waiting += edges.get(item, ())
    return total


def edges_of(meta: bytes, begin: int, end: int) -> dict[int, list[int]]:
    """The items that each item is derived from."""
    width = 2 if meta[begin] == 0 else 4
    edges: dict[int, list[int]] = {}
    for kind, start, _ in boxes(meta, begin + 4, end):
        if kind == b"dimg":
            item = int.from_bytes(meta[start : start + width], "big")
            (count,) = struct.unpack_from(">H", meta, start + width)
            at = start + width + 2
            edges[item] = [int.from_bytes(meta[at + width * n : at + width * (n + 1)], "big") for n in range(count)]
    return edges


def areas_of(meta: bytes, begin: int, end: int) -> dict[int, int]:
    """The pixels of each item, by its property `ispe`."""
    parts = {kind: (start, stop) for kind, start, stop in boxes(meta, begin, end)}
    sizes = []
    for kind, start, _ in boxes(meta, *parts.get(b"ipco", (0, 0))):
        width, height = struct.unpack_from(">II", meta, start + 4) if kind == b"ispe" else (0, 0)
        sizes.append(width * height)
    return {
        item: max((sizes[n - 1] for n in numbers if 0 < n <= len(sizes)), default=0)
        for item, numbers in properties_of(meta, *parts.get(b"ipma", (0, 0)))
    }


def properties_of(meta: bytes, begin: int, end: int) -> Iterator[tuple[int, list[int]]]:
    """Each item with the indexes of its properties, from 1."""
    if end - begin < 8:
        return
    version, wide = meta[begin], meta[begin + 3] & 1
    (count,) = struct.unpack_from(">I", meta, begin + 4)
    at, width = begin + 8, 4 if version else 2
    for _ in range(min(count, MOST_TILES)):
        item = int.from_bytes(meta[at : at + width], "big")
        number, at = meta[at + width], at + width + 1
        step, mask = (2, 0x7FFF) if wide else (1, 0x7F)
        yield item, [int.from_bytes(meta[at + step * n : at + step * (n + 1)], "big") & mask for n in range(number)]
        at += step * number


def check_movie(file: IO[bytes]) -> None:
    """Check that the tables of an MP4 are of a plausible length.

    Raises:
        TooLong
    """
    moov = header(file, b"moov")
    for kind, begin, end in boxes(moov):
        if kind == b"trak":
            check_track(moov, begin, end)


def check_track(moov: bytes, begin: int, end: int) -> None:
    for name in (b"mdia", b"minf", b"stbl"):
        begin, end = next(((start, stop) for kind, start, stop in boxes(moov, begin, end) if kind == name), (0, 0))
    for kind, start, stop in boxes(moov, begin, end):
        if kind == b"stsz" and stop - start >= 12:
            samples = int.from_bytes(moov[start + 8 : start + 12], "big")
        elif kind == b"stts" and stop - start >= 8:
            samples = repeats(moov, start, stop)
        else:
            continue
        if samples > MOST_SAMPLES:
            raise TooLong(f"{samples} samples")


def repeats(moov: bytes, start: int, stop: int) -> int:
    """The number of samples declared by a run-length table of durations."""
    count = min(int.from_bytes(moov[start + 4 : start + 8], "big"), (stop - start - 8) // 8)
    return sum(struct.unpack_from(">I", moov, start + 8 + 8 * n)[0] for n in range(count))
