"""The split: shares, classes, groups that stay together, and that it is the same each time."""

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
    places = list(range(count))
    rng.shuffle(places)
    ties, at = [], 0
    while at < count * draw(st.sampled_from([0.0, 0.4, 0.8])):
        size = rng.randint(2, max(2, count // 20))
        ties.append(places[at : at + size])
        at += size
    wish = SplitShares(*draw(st.sampled_from([(80, 15, 5), (70, 30, 0), (50, 25, 25)])), seed=draw(st.integers(0, 9)))
    return contents, classes, ties, wish


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_groups_stay_together_and_shares_are_near_the_wish(case: tuple) -> None:
    contents, classes, ties, wish = case
    done = split(contents, classes, ties, wish)
    groups = connected_components(len(contents), ties)
    assert done.torn == 0, "no group has most of the images"
    for group in groups:
        assert len({done.splits[place] for place in group}) == 1
    by_content: dict[str, set[str]] = {}
    for content, name in zip(contents, done.splits, strict=True):
        by_content.setdefault(content, set()).add(name)
    assert all(len(names) == 1 for names in by_content.values()), "equal images are on one side"
    largest = max(map(len, groups)) / len(contents)
    for name, share in shares_of(done.splits).items():
        assert abs(share - wish.parts[name]) <= 0.04 + largest, (name, share)
        assert (share > 0) or wish.parts[name] < 0.1 + largest


@settings(max_examples=80, deadline=None)
@given(datasets())
def test_no_class_is_left_without_validation_images_where_that_can_be_avoided(case: tuple) -> None:
    """A class of two bundles or more has training and validation images; a class of one is trained on."""
    contents, classes, ties, wish = case
    done = split(contents, classes, ties, wish)
    groups = connected_components(len(contents), [*ties, *same(contents, range(len(contents)))])
    for kind in {kind for held in classes for kind in held}:
        holding = [group for group in groups if any(kind in classes[place] for place in group)]
        splits = {done.splits[group[0]] for group in holding}
        assert "train" in splits, kind
        if len(holding) > 2 or (len(holding) == 2 and alone(holding, classes, kind)):
            assert "val" in splits, (kind, len(holding))


def alone(holding: list[list[int]], classes: list[list[int]], kind: int) -> bool:
    """Whether these images hold one class only, so that moving them costs no other class anything."""
    return all(set(classes[place]) <= {kind} for group in holding for place in group)


def test_a_rare_class_is_validated() -> None:
    """Three of a hundred images have it, in two groups: 15 % of three are none."""
    classes = [[0]] * 97 + [[0, 1]] * 3
    for seed in range(20):
        done = split(keys(100), classes, [[97, 98]], SplitShares(seed=seed))
        assert {"train", "val"} <= set(done.splits[97:]), seed
        assert abs(done.splits.count("val") - 15) <= 2


@settings(max_examples=60, deadline=None)
@given(datasets(), st.sampled_from(["none", "all", "no val", "test only"]), st.booleans())
def test_what_is_promised_is_what_is_done(
    tmp_path_factory: pytest.TempPathFactory, case: tuple, kind: str, wished: bool
) -> None:
    """Whatever the upload had, for given splits and wished ones: the promise is made from what was kept on the disk."""
    contents, classes, ties, wish = case
    rng = random.Random(len(contents))
    options = {"none": [None], "all": SPLITS, "no val": ["train", "test"], "test only": [None, "test"]}[kind]
    material = Material(contents, [rng.choice(options) for _ in contents], [list(held) for held in classes], ties)
    folder = tmp_path_factory.mktemp("revision")
    material.save(folder)
    shares = wish if wished else None
    promise = counted(Material.load(folder), assign(Material.load(folder), shares))
    deed = assign(material, shares)
    assert promise["splits"] == {name: deed.splits.count(name) for name in SPLITS}
    for row in promise["classes"]:
        for name in SPLITS:
            mine = zip(classes, deed.splits, strict=True)
            assert row[name] == sum(row["class"] in held and place == name for held, place in mine)
    assert promise["torn"] == deed.torn


def test_each_class_is_spread_evenly() -> None:
    classes = [[number % 4] if number % 50 else [4] for number in range(2000)]
    done = split(keys(2000), classes, [], SplitShares())
    for kind in range(5):
        mine = Counter(name for name, held in zip(done.splits, classes, strict=True) if kind in held)
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
    other = split(names, list(classes.values()), [], SplitShares(seed=1))
    assert other.splits != list(first.values())


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_both_sides_have_images(count: int) -> None:
    splits = split(keys(count), [[0]] * count, [], SplitShares()).splits
    assert {"train", "val"} <= set(splits)
    assert splits.count("train") >= splits.count("val")


def test_a_group_with_most_images_is_torn_and_told() -> None:
    done = split(keys(20), [[0]] * 20, [list(range(19))], SplitShares(80, 20, 0))
    assert done.torn == 19
    assert Counter(done.splits) == {"train": 16, "val": 4}
    same = split(["a"] * 10, [[0]] * 10, [], SplitShares(80, 20, 0))
    assert (same.torn, Counter(same.splits)) == (10, Counter({"train": 8, "val": 2}))
    assert split(keys(20), [[0]] * 20, [list(range(int(20 * MOST)))], SplitShares(50, 50, 0)).torn == 0


def test_100_000_images_take_seconds() -> None:
    rng = random.Random(0)
    count = 100_000
    ties = [[place, place + 1] for place in range(0, count, 7)]
    done = split(keys(count), [[rng.randrange(80)] for _ in range(count)], ties, SplitShares())
    assert abs(done.splits.count("train") / count - 0.8) < 0.01


def test_what_earlier_versions_stored_is_read(tmp_path: Path) -> None:
    """The names of the fields are in a file of each version of a dataset."""
    stored = {"keys": ["a", "b"], "given": ["val", None], "classes": [[0], ["cat"]], "ties": [[0, 1]]}
    (tmp_path / FILE).write_bytes(gzip.compress(json.dumps(stored).encode()))
    material = Material.load(tmp_path)
    assert material == Material(["a", "b"], ["val", None], [[0], ["cat"]], [[0, 1]])
    material.save(tmp_path)
    assert json.loads(gzip.decompress((tmp_path / FILE).read_bytes())) == stored
