"""Finds near-duplicates among many images: perceptual hashes that differ in few bits."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

BITS = 64
# Maximum number of differing bits between near-duplicates. Measured on the 364 photographs of BCCD: copies that were
# scaled, brightened or saved as JPEG of quality 30 differ in 0 to 2 bits, shifted by 1 % in 0 to 4 (97 of 100), and
# different photographs in 14 or more.
DISTANCE = 4
CROWD = 4000  # in larger buckets, each hash is compared with that many neighbors
EDGES = 1_000_000  # pairs in memory

Array = np.ndarray


def near_duplicates(hashes: Sequence[int | None], distance: int = DISTANCE) -> list[list[int]]:
    """Groups of two or more similar images, as ascending indexes into `hashes`, ordered by their first.

    Two images whose hashes differ in at most `distance` bits are in one group, and transitively with others. None: not
    compared. Hashes that differ in `distance` bits agree in at least one of `distance` + 1 bands of bits (Manku et al.,
    Detecting near-duplicates for web crawling, 2007), so only those that share a band are compared.
    """
    indices = np.array([index for index, value in enumerate(hashes) if value is not None], dtype=np.int64)
    values = np.array([value for value in hashes if value is not None], dtype=np.uint64)
    distinct, which = np.unique(values, return_inverse=True)
    group = np.arange(len(distinct))
    for low, high in bands(distance + 1):
        group = join(group, similar(distinct, low, high, distance))
    return gathered(indices, group[which])


def bands(count: int) -> list[tuple[int, int]]:
    """The bits as `count` ranges of nearly equal length."""
    edges = [round(number * BITS / count) for number in range(count + 1)]
    return list(itertools.pairwise(edges))


def similar(values: Array, low: int, high: int, distance: int) -> Iterator[tuple[Array, Array]]:
    """Pairs of indexes whose values agree in the bits from `low` to `high` and differ in few others."""
    keys = (values >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
    order = np.lexsort((values, keys))
    keys, values = keys[order], values[order]
    lower = np.arange(len(values))
    for offset in range(1, min(len(values), CROWD)):
        lower = lower[lower < len(values) - offset]
        # a bucket that has ended does not continue at larger offsets
        lower = lower[keys[lower] == keys[lower + offset]]
        if not len(lower):
            return
        close = lower[np.bitwise_count(values[lower] ^ values[lower + offset]) <= distance]
        if len(close):
            yield order[close], order[close + offset]


def join(group: Array, pairs: Iterator[tuple[Array, Array]]) -> Array:
    """Unite the groups of each pair."""
    waiting: list[tuple[Array, Array]] = []
    count = 0
    for first, second in pairs:
        waiting.append((first, second))
        count += len(first)
        if count > EDGES:
            group, waiting, count = united(group, waiting), [], 0
    return united(group, waiting) if waiting else group


def united(group: Array, pairs: list[tuple[Array, Array]]) -> Array:
    """The groups after those of each pair are one."""
    from scipy.sparse import coo_array  # not at import: 0.2 s, and most datasets have no near-duplicates
    from scipy.sparse.csgraph import connected_components

    first, second = (group[np.concatenate(part)] for part in zip(*pairs, strict=True))
    edges = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(len(group), len(group)))
    _count, component = connected_components(edges, directed=False)
    return component[group]


def gathered(indices: Array, group: Array) -> list[list[int]]:
    """Groups with more than one member, in the order of their first."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    parts = np.split(indices[order], starts[1:]) if len(order) else []
    return sorted(part.tolist() for part in parts if len(part) > 1)
