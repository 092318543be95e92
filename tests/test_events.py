"""The codec of events: only a damaged line, or one of another version, is skipped."""

import json
from pathlib import Path

import pytest

from app.events import Cancelled, Epoch, Figures, Note, Progress, encode, event_of, read_events

LINES = [encode(Progress(1, number, 9, 0.5), number) for number in (1, 2, 3)]


def seqs(folder: Path, offset: int = 0) -> tuple[list[int], list[int]]:
    damaged: list[int] = []
    return [event.seq for _, event in read_events(folder, offset, damaged.append)], damaged


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x00\n",
        b"{}\n",
        b"[1]\n",
        b"null\n",
        b"\n",
        b'{"seq": 2, "type": "Progress"}\n',
        LINES[1].replace('"batch": 2', '"batch": "2"').encode(),
        LINES[1].replace('"seq": 2', '"seq": 1e400').encode(),
        LINES[1].replace('"seq": 2', '"seq": ' + "9" * 30).encode(),
        LINES[1].replace("Progress", "Unknown").encode(),
        encode(Note("a", {}), 2).replace('"a"', '"\\ud800"').encode(),
        b"[" * 5000 + b"\n",
    ],
)
def test_a_damaged_line_is_skipped(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(LINES[0].encode() + damage + LINES[2].encode())
    numbers, damaged = seqs(tmp_path)
    assert numbers == [1, 3]
    assert damaged == [len(LINES[0]) + len(damage)]


def test_an_event_of_stored_fields_is_checked() -> None:
    assert event_of(Note, {"code": "a", "data": {"x": 1}, "of_tomorrow": 2}) == Note("a", {"x": 1})
    with pytest.raises(ValueError, match="another type"):
        event_of(Note, {"code": 5, "data": {}})
    with pytest.raises(TypeError, match="code"):
        event_of(Note, {"data": {}})


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    body = json.loads(LINES[0])
    body["data"]["of_tomorrow"], body["more"] = {"a": 1}, 5
    (tmp_path / "events.jsonl").write_text(json.dumps(body) + "\n")
    assert seqs(tmp_path) == ([1], [])


def test_a_cut_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(LINES))
    offset = path.stat().st_size
    path.write_text(LINES[0])
    assert seqs(tmp_path, offset) == ([1], [0])


def test_written_events_are_read_back(tmp_path: Path) -> None:
    nan = float("nan")
    events = [
        Epoch(1, 2, nan, None, 1, 0.5, 0.1, nan, 0.01, {"a": nan}, nan, nan),
        Figures(1, 2, 3, 4, nan, 6, 7, 8, [{"index": 0}]),
        Cancelled(1, None),
    ]
    (tmp_path / "events.jsonl").write_text("".join(encode(event, seq) for seq, event in enumerate(events, 1)))
    assert seqs(tmp_path) == ([1, 2, 3], [])
