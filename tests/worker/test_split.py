"""The split: shares, classes, groups that stay together, and determinism."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.splits import SPLITS
from app.worker.assign import FILE, Material, assign, counted
from app.worker.components import connected_components
from app.worker.split import MOST, SplitShares, same, split


def keys(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def shares_of(splits: list[str]) -> dict[str, float]:
    return {name: splits.count(name) / len(splits) for name in SPLITS}


@st.composite
def datasets(draw: st.DrawFn) -> tuple[list[str], list[list[int]], list[list[int]], SplitShares]:
    """Content keys with a few duplicates, classes with one rare one, groups of up to a tenth, shares."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(40, 400))
    contents = [f"{rng.randrange(count * 20):064x}" for _ in range(count)]
    classes = [sorted({min(rng.randrange(9), rng.randrange(9)) for _ in range(rng.randrange(4))}) for _ in range(count)]
    order = list(range(count))
    rng.shuffle(order)
    ties, at = [], 0
    while at < count * draw(st.sampled_from([0.0, 0.4, 0.8])):
        size = rng.randint(2, max(2, count // 20))
        ties.append(order[at : at + size])
        at += size
    shares = SplitShares(*draw(st.sampled_from([(80, 15, 5), (70, 30, 0), (50, 25, 25)])), seed=draw(st.integers(0, 9)))
    return contents, classes, ties, shares


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_groups_stay_together_and_shares_are_close_to_the_request(case: tuple) -> None:
    contents, classes, ties, shares = case
    result = split(contents, classes, ties, shares)
    groups = connected_components(len(contents), ties)
    assert result.torn == 0, "no group has most of the images"
    for group in groups:
        assert len({result.splits[index] for index in group}) == 1
    by_content: dict[str, set[str]] = {}
    for content, name in zip(contents, result.splits, strict=True):
        by_content.setdefault(content, set()).add(name)
    assert all(len(names) == 1 for names in by_content.values()), "equal images are on one side"
    largest = max(map(len, groups)) / len(contents)
    for name, share in shares_of(result.splits).items():
        assert abs(share - shares.parts[name]) <= 0.04 + largest, (name, share)
        assert (share > 0) or shares.parts[name] < 0.1 + largest


@settings(max_examples=80, deadline=None)
@given(datasets())
def test_every_class_has_validation_images_where_possible(case: tuple) -> None:
    """A class of two bundles or more has training and validation images; a class of one is trained on."""
    contents, classes, ties, shares = case
    result = split(contents, classes, ties, shares)
    groups = connected_components(len(contents), [*ties, *same(contents, range(len(contents)))])
    for kind in {kind for kinds in classes for kind in kinds}:
        holding = [group for group in groups if any(kind in classes[index] for index in group)]
        splits = {result.splits[group[0]] for group in holding}
        assert "train" in splits, kind
        if len(holding) > 2 or (len(holding) == 2 and alone(holding, classes, kind)):
            assert "val" in splits, (kind, len(holding))


def alone(holding: list[list[int]], classes: list[list[int]], kind: int) -> bool:
    """Whether these images contain only one class, so that moving them costs no other class anything."""
    return all(set(classes[index]) <= {kind} for group in holding for index in group)


def test_a_rare_class_is_validated() -> None:
    """Three of a hundred images have it, in two groups: 15 % of three are none."""
    classes = [[0]] * 97 + [[0, 1]] * 3
    for seed in range(20):
        result = split(keys(100), classes, [[97, 98]], SplitShares(seed=seed))
        assert {"train", "val"} <= set(result.splits[97:]), seed
        assert abs(result.splits.count("val") - 15) <= 2


@settings(max_examples=60, deadline=None)
@given(datasets(), st.sampled_from(["none", "all", "no val", "test only"]), st.booleans())
def test_the_preview_equals_the_result(
    tmp_path_factory: pytest.TempPathFactory, case: tuple, kind: str, with_shares: bool
) -> None:
    """With any split in the upload, with given or requested shares; the preview counts the stored images."""
    contents, classes, ties, requested = case
    rng = random.Random(len(contents))
    options = {"none": [None], "all": SPLITS, "no val": ["train", "test"], "test only": [None, "test"]}[kind]
    material = Material(contents, [rng.choice(options) for _ in contents], [list(kinds) for kinds in classes], ties)
    folder = tmp_path_factory.mktemp("revision")
    material.save(folder)
    shares = requested if with_shares else None
    preview = counted(Material.load(folder), assign(Material.load(folder), shares))
    applied = assign(material, shares)
    assert preview["splits"] == {name: applied.splits.count(name) for name in SPLITS}
    for row in preview["classes"]:
        for name in SPLITS:
            mine = zip(classes, applied.splits, strict=True)
            assert row[name] == sum(row["class"] in kinds and side == name for kinds, side in mine)
    assert preview["torn"] == applied.torn


def test_each_class_is_spread_evenly() -> None:
    classes = [[number % 4] if number % 50 else [4] for number in range(2000)]
    result = split(keys(2000), classes, [], SplitShares())
    for kind in range(5):
        mine = Counter(name for name, kinds in zip(result.splits, classes, strict=True) if kind in kinds)
        total = mine.total()
        for name, part in SplitShares().parts.items():
            assert abs(mine[name] - part * total) <= 1.5, (kind, mine)


def test_it_is_the_same_each_time_whatever_the_order_and_another_with_another_seed() -> None:
    names = keys(300)
    classes = {name: [int(name, 16) % 3] for name in names}
    first = dict(zip(names, split(names, list(classes.values()), [], SplitShares()).splits, strict=True))
    shuffled = list(names)
    random.Random(4).shuffle(shuffled)
    again = split(shuffled, [classes[name] for name in shuffled], [], SplitShares())
    assert dict(zip(shuffled, again.splits, strict=True)) == first
    second = split(names, list(classes.values()), [], SplitShares(seed=1))
    assert second.splits != list(first.values())


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_both_sides_have_images(count: int) -> None:
    splits = split(keys(count), [[0]] * count, [], SplitShares()).splits
    assert {"train", "val"} <= set(splits)
    assert splits.count("train") >= splits.count("val")


def test_a_group_with_most_images_is_split_and_reported() -> None:
    result = split(keys(20), [[0]] * 20, [list(range(19))], SplitShares(80, 20, 0))
    assert result.torn == 19
    assert Counter(result.splits) == {"train": 16, "val": 4}
    same = split(["a"] * 10, [[0]] * 10, [], SplitShares(80, 20, 0))
    assert (same.torn, Counter(same.splits)) == (10, Counter({"train": 8, "val": 2}))
    assert split(keys(20), [[0]] * 20, [list(range(int(20 * MOST)))], SplitShares(50, 50, 0)).torn == 0


def test_100_000_images_take_seconds() -> None:
    rng = random.Random(0)
    count = 100_000
    ties = [[index, index + 1] for index in range(0, count, 7)]
    result = split(keys(count), [[rng.randrange(80)] for _ in range(count)], ties, SplitShares())
    assert abs(result.splits.count("train") / count - 0.8) < 0.01


def test_what_earlier_versions_stored_is_read(tmp_path: Path) -> None:
    """The names of the fields are in a file of each version of a dataset."""
    stored = {"keys": ["a", "b"], "given": ["val", None], "classes": [[0], ["cat"]], "ties": [[0, 1]]}
    (tmp_path / FILE).write_bytes(gzip.compress(json.dumps(stored).encode()))
    material = Material.load(tmp_path)
    assert material == Material(["a", "b"], ["val", None], [[0], ["cat"]], [[0, 1]])
    material.save(tmp_path)
    assert json.loads(gzip.decompress((tmp_path / FILE).read_bytes())) == stored
