"""The load run: viewers receive each message once, and a failing viewer ends it with its reason."""

from pathlib import Path

import pytest

from scripts.load import ViewerFailed, measure, watch
from scripts.local_server import free_port


def test_each_viewer_hears_each_message_once(tmp_path: Path) -> None:
    measured = measure(tmp_path, "threading", viewers=3, count=5, pause=0.05)
    assert measured["all the same"]
    assert measured["most often"] == 1
    assert measured["messages"] >= 1
    assert measured["p50, ms"] > 0


def test_a_viewer_that_cannot_connect_reports_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ViewerFailed, match="Connection"):
        watch(f"http://127.0.0.1:{free_port()}", 1, 1, tmp_path / "go")
    assert not (tmp_path / "go").exists()
