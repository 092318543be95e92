"""Near-duplicates: banding finds the same pairs as comparing all with all; time does not grow with the square."""

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from app.worker.quality import near_duplicates
from app.worker.quality.near_duplicates import DISTANCE


def by_comparing_all(hashes: list[int | None]) -> list[list[int]]:
    parent = list(range(len(hashes)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for number, value in enumerate(hashes):
        for earlier, second in enumerate(hashes[:number]):
            if value is not None and second is not None and (value ^ second).bit_count() <= DISTANCE:
                parent[root(number)] = root(earlier)
    groups: dict[int, list[int]] = {}
    for number in range(len(hashes)):
        groups.setdefault(root(number), []).append(number)
    return sorted(group for group in groups.values() if len(group) > 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 120))
def test_exactly_all_pairs(seed: int, count: int) -> None:
    rng = random.Random(seed)
    centres = [rng.getrandbits(64) for _ in range(8)]
    hashes: list[int | None] = []
    for _ in range(count):
        value = rng.choice(centres)
        for bit in rng.sample(range(64), rng.randint(0, 7)):
            value ^= 1 << bit
        hashes.append(None if rng.random() < 0.05 else value)
    assert near_duplicates(hashes) == by_comparing_all(hashes)


def test_many() -> None:
    """50,000 hashes, 2,000 of them copies with up to four changed bits."""
    rng = random.Random(5)
    hashes: list[int | None] = [rng.getrandbits(64) for _ in range(48_000)]
    for index in range(2000):
        value = hashes[index] or 0
        for bit in rng.sample(range(64), rng.randint(0, DISTANCE)):
            value ^= 1 << bit
        hashes.append(value)
    began = time.process_time()
    groups = near_duplicates(hashes)
    assert time.process_time() - began < 5  # 0.2 s measured; comparing all with all takes minutes
    assert groups == [[index, 48_000 + index] for index in range(2000)]


def test_none() -> None:
    assert near_duplicates([]) == []
    assert near_duplicates([None, None, 1]) == []
