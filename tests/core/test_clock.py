"""The shared time of several hosts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.clock import SharedClock

HOUR = timedelta(hours=1)


def shift_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + by

    monkeypatch.setattr(clock, "datetime", Wrong)


def test_a_single_machine_uses_its_local_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_clock(monkeypatch, HOUR)
    assert SharedClock().now() - datetime.now(UTC) > HOUR / 2
    assert SharedClock().shared(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_clock_that_is_wrong_does_not_matter(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    shared = SharedClock()
    shift_clock(monkeypatch, by)
    shared.set(datetime.now(UTC))
    assert abs(shared.now() - datetime.now(UTC)) < timedelta(seconds=30)
    assert abs(shared.shared(datetime.now(UTC) + by) - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_later_clock_change_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A work-horse compares once, when it is forked, and may run for days."""
    shared = SharedClock()
    shared.set(datetime.now(UTC))
    shift_clock(monkeypatch, HOUR)
    assert abs(shared.now() - datetime.now(UTC)) < timedelta(seconds=30)


def test_it_does_not_jump_for_the_way_to_the_database() -> None:
    shared = SharedClock()
    shared.set(datetime.now(UTC))
    anchor = shared._anchor
    shared.set(shared.now() + timedelta(milliseconds=50))
    assert shared._anchor == anchor
    shared.set(shared.now() + HOUR)
    assert shared._anchor != anchor
