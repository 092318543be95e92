"""Versions of datasets through a real S3 server: stored once, downloaded once, and verified by their hashes."""

import hashlib
import os
from pathlib import Path

import pytest

from app.core.file_lock import FileLock
from app.object_store.bucket import PART, Bucket, StoredFile
from app.object_store.cache import DiskTooFull, HostCache
from app.object_store.errors import Corrupted, NotStored, StoreAway
from app.object_store.manifests import is_below, seal, unseal
from app.object_store.packs import PACK, Version, fetch, files_in, publish, version_key

NOBODY: dict[str, Path] = {}


def version_folder(folder: Path, images: int = 20, size: int = 3000) -> Path:
    for number in range(images):
        for kind, suffix, data in (("images", "jpg", os.urandom(size)), ("labels", "txt", b"0 0.5 0.5 0.1 0.1\n")):
            path = folder / kind / "train" / f"{number}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / "labels" / "train" / "empty.txt").touch()
    (folder / "labels" / "train.cache").write_bytes(b"made later")
    (folder / "dataset.yaml").write_text("path: /elsewhere\ntrain: images/train\n")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_in(folder)}


def stored(bucket: Bucket, folder: Path, name: str = "one", relatives: tuple[str, ...] = ()) -> bytes:
    """The sealed list of a published version."""
    list_sha256 = publish(bucket, folder, name, relatives)
    data = bucket.read(version_key(name))
    assert hashlib.sha256(data).hexdigest() == list_sha256
    return data


def test_a_version_comes_out_as_it_went_in(bucket: Bucket, tmp_path: Path) -> None:
    source = version_folder(tmp_path / "source")
    (source / "images" / "train" / "large.jpg").write_bytes(os.urandom(PACK + 5))
    version = Version.of(stored(bucket, source))
    fetch(bucket, version, tmp_path / "copy", NOBODY, lambda: None)
    assert content(tmp_path / "copy") == content(source)
    assert "labels/train.cache" not in content(tmp_path / "copy")
    assert len(bucket.keys("packs/")) == 2, "the small files are in one, the large one is alone"


def test_a_second_version_stores_what_has_changed_alone(bucket: Bucket, tmp_path: Path) -> None:
    source = version_folder(tmp_path / "source")
    stored(bucket, source)
    before = bucket.sizes("packs/")
    (source / "images" / "train" / "new.jpg").write_bytes(b"new")
    version = Version.of(stored(bucket, source, "two", ("one",)))
    assert sum(bucket.sizes("packs/").values()) - sum(before.values()) == 3
    fetch(bucket, version, tmp_path / "copy", NOBODY, lambda: None)
    assert content(tmp_path / "copy") == content(source)


def test_a_fetch_that_was_ended_goes_on(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.object_store.packs.PACK", 10_000)
    source = version_folder(tmp_path / "source")
    version = Version.of(stored(bucket, source))
    requests = []

    def ends() -> None:
        requests.append(1)
        if len(requests) > 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fetch(bucket, version, tmp_path / "copy", NOBODY, ends)
    there = set((tmp_path / "copy").rglob("*.jpg"))
    assert 0 < len(there) < 20
    torn = sorted(there)[0]
    torn.write_bytes(bytes(torn.stat().st_size))  # as after a power failure
    times = {path: path.stat().st_mtime_ns for path in there - {torn}}
    fetch(bucket, version, tmp_path / "copy", NOBODY, lambda: None)
    assert content(tmp_path / "copy") == content(source)
    rewritten = [path.name for path, time in times.items() if path.stat().st_mtime_ns != time]
    assert len(rewritten) < 4, "no more than what shared a pack with the torn one"


def test_a_pack_that_was_changed_is_noticed(bucket: Bucket, tmp_path: Path) -> None:
    version = Version.of(stored(bucket, version_folder(tmp_path / "source")))
    key = next(iter(bucket.keys("packs/")))
    data = bytearray(bucket.read(key))
    data[7] ^= 1
    bucket.put_bytes(key, bytes(data))
    with pytest.raises(Corrupted):
        fetch(bucket, version, tmp_path / "copy", NOBODY, lambda: None)
    bucket.remove([key])
    with pytest.raises(NotStored):
        fetch(bucket, version, tmp_path / "copy", NOBODY, lambda: None)


def test_a_file_in_parts_goes_on_where_it_was_cut(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "best.pt"
    source.write_bytes(os.urandom(2 * PART + 17))
    file = bucket.put_file("a/best.pt", source)
    assert (file.size, bucket.size("a/best.pt"), bucket.size("a/other")) == (2 * PART + 17, 2 * PART + 17, None)
    target = tmp_path / "copy.pt"
    target.write_bytes(source.read_bytes()[: PART + 3])
    bucket.fetch(file, target)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(Corrupted):
        bucket.fetch(StoredFile(file.key, "0" * 64, file.size), tmp_path / "other.pt")
    assert not (tmp_path / "other.pt").exists()


def test_lists_have_modification_times_and_lead_nowhere_else() -> None:
    data = seal({"files": {}})
    assert unseal(data) == {"files": {}}
    for damaged in (data[:-1], data[:70] + b"x" + data[71:], b""):
        with pytest.raises(Corrupted):
            unseal(damaged)
    for name in ("../a", "models/1/../2/a", "/etc/passwd", "models//1", "models/1/a\0", "models/10/a", ""):
        assert not is_below(name, ["models/1"])
    assert is_below("models/1/run/best.pt", ["models/1"])
    assert is_below("about.json", ["about.json"])


def test_a_missing_or_forbidden_store_is_reported(bucket: Bucket) -> None:
    nowhere = Bucket("s3://platform/a", "http://127.0.0.1:9", "key-of-a-test", "secret-of-a-test")
    with pytest.raises(StoreAway) as caught:
        nowhere.read("a")
    assert "secret-of-a-test" not in str(caught.value) + repr(nowhere)
    missing = Bucket("s3://no-such-bucket/a", bucket.endpoint, "a", "b")
    with pytest.raises(StoreAway, match="does not exist"):
        missing.put_bytes("a", b"")


def hold(cache: HostCache, bucket: Bucket, name: str, data: bytes) -> FileLock:
    dataset, number = name.split("-")
    folder = cache.data / "datasets" / dataset / "revisions" / number
    return cache.hold(bucket, name, folder, data, hashlib.sha256(data).hexdigest(), lambda: None)


def test_a_host_caches_no_more_than_its_limit_except_open_files(bucket: Bucket, tmp_path: Path) -> None:
    lists = {f"{n}-1": stored(bucket, version_folder(tmp_path / f"source{n}"), f"v{n}") for n in range(1, 5)}
    size = Version.of(lists["1-1"]).size
    cache = HostCache(tmp_path / "data" / "cache", tmp_path / "data", int(2.5 * size), 0)

    def there() -> set[str]:
        return {path.parent.parent.name for path in (tmp_path / "data").glob("datasets/*/revisions/1")}

    read = hold(cache, bucket, "1-1", lists["1-1"])
    for name, before in (("2-1", 100), ("3-1", 50)):
        hold(cache, bucket, name, lists[name]).release()
        os.utime(cache.lock_path(name), (before, before))
    assert there() == {"1", "3"}, "the first one is read"
    os.utime(cache.lock_path("1-1"), (1, 1))
    hold(cache, bucket, "4-1", lists["4-1"]).release()
    assert there() == {"1", "4"}
    read.release()
    os.utime(cache.lock_path("1-1"), (1, 1))
    hold(cache, bucket, "3-1", lists["3-1"]).release()
    assert there() == {"3", "4"}
    cache.reserve = 10**18
    with pytest.raises(DiskTooFull):
        hold(cache, bucket, "2-1", lists["2-1"])
    assert not list(cache.root.glob("removed-*"))


def test_a_version_is_fetched_once_and_the_next_one_shares_its_images(bucket: Bucket, tmp_path: Path) -> None:
    source = version_folder(tmp_path / "source")
    first = stored(bucket, source)
    (source / "labels" / "train" / "0.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    second = stored(bucket, source, "two", ("one",))
    cache = HostCache(tmp_path / "data" / "cache", tmp_path / "data", 0, 0)
    hold(cache, bucket, "1-1", first).release()
    bucket.remove(bucket.keys("packs/"))
    hold(cache, bucket, "1-1", first).release()
    bucket.put_bytes("packs/none", b"")
    with pytest.raises(NotStored):
        hold(cache, bucket, "1-2", second)  # its labels are missing here
    stored_again = bucket.below("again")
    publish(stored_again, source, "two")
    hold(cache, stored_again, "1-2", stored_again.read(version_key("two"))).release()
    assert content(tmp_path / "data/datasets/1/revisions/2") == content(source)
    image = "images/train/0.jpg"
    folders = [tmp_path / "data/datasets/1/revisions" / number / image for number in ("1", "2")]
    assert folders[0].samefile(folders[1])


def test_after_a_restart_of_the_system_it_is_compared_again(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = version_folder(tmp_path / "source")
    data = stored(bucket, source)
    cache = HostCache(tmp_path / "data" / "cache", tmp_path / "data", 0, 0)
    hold(cache, bucket, "1-1", data).release()
    image = tmp_path / "data/datasets/1/revisions/1/images/train/3.jpg"
    image.write_bytes(b"")
    hold(cache, bucket, "1-1", data).release()
    assert not image.stat().st_size, "it is not read each time"
    monkeypatch.setattr("app.object_store.cache.boot_id", lambda: "later")
    hold(cache, bucket, "1-1", data).release()
    assert content(tmp_path / "data/datasets/1/revisions/1") == content(source)
    before = image.stat().st_ino
    monkeypatch.setattr("app.object_store.cache.boot_id", lambda: "later still")
    hold(cache, bucket, "1-1", data).release()
    assert image.stat().st_ino == before
