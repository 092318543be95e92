"""Names of files from archives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.names import MAX_NAME_BYTES, printable_name, safe_name

LONG = "street-camera-of-the-northern-entrance-recorded-on-a-rainy-day-part-00_jpg.rf.b4416687b44166871b2a4e9f1b2a4e9f"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        (f"{LONG}.jpg", f"{LONG}.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("a?.jpg", "a_.jpg"),
        ("trailing. ", "trailing"),
        ("", "_"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_name(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= MAX_NAME_BYTES
    assert safe_name(safe) == safe
    assert "/" not in safe or "/" in name
    assert printable_name(name).isprintable()


def test_image_and_label_are_shortened_alike() -> None:
    stem = "é" * 200
    assert safe_name(f"{stem}.jpeg").removesuffix(".jpeg") == safe_name(f"{stem}.txt").removesuffix(".txt")
