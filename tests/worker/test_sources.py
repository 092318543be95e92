"""Images of one source: copies and frames of many tools are recognized, ordinary numbered sets are not joined."""

import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from app.worker.formats import Item
from app.worker.partition import Partition, partition
from app.worker.quality import Entry, apply_fixes
from app.worker.quality.examine import Examination
from app.worker.quality.revision_checks import twins
from app.worker.sources import sources
from tests.worker.quality.helpers import GOOD, NAMES, codes, entries_of, judged, pair, picture, write

HASH = "0123456789abcdef0123456789abcdef"
FRAMES = {  # {v}: the source, {n}: the frame or copy
    "frame word": "IMG_{v:04}_frame{n:04}.jpg",
    "frame word, dash": "walk{v}-frame-{n}.jpg",
    "frm": "clip{v}_frm{n:06}.png",
    "word and dots": "seq{v}.frame.{n}.jpg",
    "f and number": "drive{v}_f{n}.jpg",
    "only zeros": "trip{v}-{n:05}.jpg",
    "mp4 in the name": "cam{v}_mp4-{n}.jpg",
    "suffix and number": "cam{v}.MOV_{n:04}.jpg",
    "seconds": "cam{v}_{n}.5s.jpg",
    "ms": "cam{v}_{n}00ms.jpg",
    "folder a video": "video_{v}/{n:06}.jpg",
    "folder of frames": "run{v}/frame_{n}.jpg",
    "folder by file": "GOPR00{v}.MP4/{n}.jpg",
    "deep folders": "day/cam_{v}/{n}.png",
    "Roboflow's copies": "photo{v}x_jpg.rf.{n}" + HASH + ".jpg",
    "Roboflow's frames": "tape{v}_mp4-{n}_jpg.rf.{n}" + HASH + ".jpg",
    "tiles": "scan{v}a_0_{n}_512_512.png",
    "DOTA": "P{v:04}__1__{n}00___0.png",
    "copies": "p{v}q_aug_{n}.jpg",
    "flips": "p{v}q_rot{n}.jpg",
}
BASIC = {
    "one numbered set": [f"IMG_{n:04}.jpg" for n in range(60)],
    "only numbers": [f"{n:06}.jpg" for n in range(60)],
    "classes and numbers": [f"{kind}_{n:03}.jpg" for kind in NAMES for n in range(20)],
    "Windows' numbers": [f"photo ({n}).jpg" for n in range(60)],
    "frames of one video": [f"frame_{n}.jpg" for n in range(60)],
    "days": [f"IMG_2021030{day}_12{n:04}.jpg" for day in range(1, 7) for n in range(10)],
    "hexadecimal": [f"{n * 7919:08x}.jpg" for n in range(60)],
    "cameras": [f"{c}_{n:04}.jpg" for c in ("IMG", "DSC") for n in range(30)],
    "splits of one numbering": [f"{s}/images/{n:05}.jpg" for s in ("train", "val", "test") for n in range(20)],
}


def names_of(pattern: str, count: int = 6, frames: int = 4) -> tuple[list[str], list[int]]:
    """Names in train and val, and the source of each."""
    pairs = [
        (f"images/{('train', 'val')[n % 2]}/" + pattern.format(v=v, n=n), v)
        for v in range(count)
        for n in range(frames)
    ]
    return [name for name, _ in pairs], [v for _, v in pairs]


@pytest.mark.parametrize("case", FRAMES)
@pytest.mark.parametrize("count", [2, 6])
def test_frames_and_copies_have_one_source(case: str, count: int) -> None:
    names, truth = names_of(FRAMES[case], count)
    grouped = sources(names, None, [{v % 2, 2} for v in truth], ["car", "bus"])
    groups = defaultdict(set)
    for source, v in zip(grouped, truth, strict=True):
        groups[source].add(v)
    assert "" not in groups
    assert all(len(members) == 1 for members in groups.values())
    assert len(groups) == count


@pytest.mark.parametrize("case", BASIC)
def test_ordinary_sets_are_not_glued(case: str) -> None:
    names = BASIC[case]
    assert set(sources(names, None, [{n % 3} for n in range(len(names))], NAMES)) == {""}


def test_numbers_mean_frames_where_neighbours_are_alike() -> None:
    """A name and a short number are ambiguous; the images decide."""
    rng = random.Random(0)
    names = [f"{word}{n}.jpg" for word in ("street", "park") for n in range(20)]
    apart = [rng.getrandbits(64) for _ in names]
    assert set(sources(names, apart)) == {""}
    scenes = [rng.getrandbits(64) for _ in range(2)]
    hashes = [scenes[index // 20] ^ (1 << rng.randrange(64)) for index in range(len(names))]
    assert set(sources(names, hashes)) == {"/street", "/park"}


def test_names_that_follow_the_classes_are_no_sources() -> None:
    names = [f"{word}-{n:05}.jpg" for word in ("aa", "bb", "cc") for n in range(10)]
    kinds = [{index // 10} for index in range(30)]
    assert set(sources(names, None, kinds)) == {""}
    assert set(sources(names, None, [{0, 1, 2}] * 30)) == {"/aa", "/bb", "/cc"}


def frames(folder: Path, videos: int = 12, length: int = 10) -> list[Entry]:
    """Frames of videos, distributed at random over the user's own split."""
    rng = random.Random(1)
    for video in range(videos):
        for number in range(length):
            name = f"IMG_{video:04}_frame{number:04}"
            split = "val" if rng.random() < 0.2 else "train"
            write(folder, pair(name, GOOD, picture(f"{video} {number}"), split))
    entries = entries_of(folder)
    for entry, source in zip(entries, sources([entry.name for entry in entries]), strict=True):
        entry.source = source
    return entries


def torn(entries: list[Entry]) -> int:
    """Sources in two splits."""
    splits = defaultdict(set)
    for entry in entries:
        splits[entry.name.split("_frame")[0]].add(entry.split)
    return sum(len(sides) > 1 for sides in splits.values())


@pytest.mark.parametrize("fix", ["all", ["leak"], ["leak_source"], ["leak_exact"], ["leak", "duplicate_image"]])
def test_a_leaking_split_is_counted_and_mended_entirely(tmp_path: Path, fix: list[str] | str) -> None:
    entries = frames(tmp_path)
    shared = {entry.source for entry in entries if entry.split == "train"}
    leaking = [entry for entry in entries if entry.split == "val" and entry.source in shared]
    _report, connection = judged(tmp_path, entries)
    assert codes(connection).count("leak_source") == len(leaking) > 10
    before = Counter(entry.split for entry in entries)
    after, fixes = apply_fixes(entries, fix, Examination(NAMES), lambda *_: tmp_path)
    if not isinstance(fix, list) or "leak_source" in fix:
        assert torn(after) == 0
        assert not [twin for twin in twins(after) if twin.leak]
        sizes = Counter(entry.split for entry in after)
        assert sizes["val"] >= before["val"] / 2, "the fix leaves a validation set"
        assert "leak_source" in {item.code for item in fixes}
    else:
        assert torn(after) == torn(entries), "another fix tears no further source"


def test_a_fix_of_copies_moves_their_source_too(tmp_path: Path) -> None:
    """Two copies of one frame in two splits: moving only them would divide an undivided video."""
    entries = [entry for entry in frames(tmp_path, 4, 5) if entry.split == "train"]
    write(tmp_path, pair("other", GOOD, entries[0].image.read_bytes(), "val") | pair("v", GOOD, split="val"))
    extra = [entry for entry in entries_of(tmp_path) if entry.name in {"other.jpg", "v.jpg"}]
    after, fixes = apply_fixes([*entries, *extra], ["leak_exact"], Examination(NAMES), lambda *_: tmp_path)
    assert [item.code for item in fixes] == ["leak_exact"]
    assert torn([entry for entry in after if "_frame" in entry.name]) == 0
    assert not [twin for twin in twins(after) if twin.leak]


def split_of(names: list[str], originals: dict[str, str] | None = None) -> Partition:
    rng = random.Random(0)
    items = [Item(name, name, None, rows=[]) for name in names]
    pictures = [entry_picture(rng) for _ in names]
    return partition(items, pictures, None, Path(), originals or {})


def entry_picture(rng: random.Random):  # type: ignore[no-untyped-def]
    from app.worker.quality import ImageRecord

    return ImageRecord(sha256=f"{rng.getrandbits(256):064x}", phash=rng.getrandbits(64))


@pytest.mark.parametrize("case", FRAMES)
@pytest.mark.parametrize("count", [2, 9])
def test_the_split_tears_no_source(case: str, count: int) -> None:
    names, truth = names_of(FRAMES[case], count)
    names = [name.replace("images/train/", "").replace("images/val/", "") for name in names]
    result = split_of(names)
    sides = defaultdict(set)
    for split, v in zip(result.splits, truth, strict=True):
        sides[v].add(split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert {"train", "val"} <= set(result.splits)


def test_shortened_names_are_grouped_by_what_they_were() -> None:
    originals = {
        f"a{v}{n}.jpg": f"train/images/{'long' * 30}{v}_jpg.rf.{n}{HASH}.jpg" for v in range(8) for n in range(3)
    }
    result = split_of(list(originals), originals)
    sides = defaultdict(set)
    for name, split in zip(originals, result.splits, strict=True):
        sides[name[:2]].add(split)
    assert all(len(splits) == 1 for splits in sides.values())
