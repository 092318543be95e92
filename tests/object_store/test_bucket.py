"""A bucket on a real S3 server."""

import pytest

from app.object_store import bucket as bucket_module
from app.object_store.bucket import Bucket


def test_more_objects_than_one_request_removes(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "MAX_REMOVED", 2)
    for number in range(5):
        bucket.put_bytes(f"many/{number}", b"")
    assert sorted(bucket.keys("many/")) == [f"many/{number}" for number in range(5)]
    bucket.remove(bucket.keys("many/"))
    assert bucket.keys("many/") == {}


def test_a_folder_that_a_console_drew_is_no_object(bucket: Bucket) -> None:
    bucket.put_bytes("drawn/", b"")
    bucket.put_bytes("drawn/file", b"x")
    assert list(bucket.keys("")) == ["drawn/file"]
    bucket.remove(["drawn/", "drawn/file"])
