"""Videos are read frame by frame in a process with limits; unreadable ones are refused with the reason."""

import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from app.worker.decoders import OverLimit
from app.worker.failures import InvalidInput
from app.worker.programs.predict_video import Ahead, Behind
from app.worker.video import open_video
from app.worker.video.drawing import draw
from app.worker.video.encoding import FORMS, Form, VideoWriter, best_form, fitted
from app.worker.video.lists import DetectionLists
from app.worker.video.open_video import refuse_file
from app.worker.video.source import Frame, VideoSource
from tests.videos import BROKEN, NO_VIDEOS, claim_frames, drawn_video, rotate_video

TIMES = (0.0, 0.1, 0.15, 0.5, 0.6, 1.0, 1.1, 4.0)


@contextmanager
def opened(path: Path, max_pixels: int = 1_000_000, max_frames: int = 1000) -> Iterator[VideoSource]:
    source = VideoSource(path, max_pixels, max_frames, 10)
    try:
        yield source
    finally:
        source.close()


def frames_of(source: VideoSource) -> list[Frame]:
    return [frame for piece in source.pieces() for frame in piece]


def refusal(path: Path, content: bytes, **limits: int) -> str:
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught, opened(path, **limits) as source:
        frames_of(source)
    return caught.value.code


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "mpeg4"), ("a.webm", "libvpx"), ("a.mkv", "libvpx-vp9")]
)
def test_every_frame_has_its_time(tmp_path: Path, name: str, codec: str) -> None:
    drawn_video(tmp_path / name, TIMES, codec=codec)
    with opened(tmp_path / name) as source:
        frames = frames_of(source)
        assert (source.about.width, source.about.height, source.cut, source.damaged) == (160, 120, False, 0)
    assert [frame.time for frame in frames] == pytest.approx(TIMES, abs=0.002)
    assert [frame.number for frame in frames] == list(range(len(TIMES)))
    blue, green, red = frames[0].pixels[20:40, 20:60].mean(axis=(0, 1))
    assert red > 200 > 60 > max(blue, green)


def test_an_avi_has_one_time_a_frame(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for _ in range(6):
        writer.write(np.zeros((120, 160, 3), np.uint8))
    writer.release()
    with opened(tmp_path / "a.avi") as source:
        assert source.about.frames == 6
        assert [frame.time for frame in frames_of(source)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_upright(tmp_path: Path, degrees: int) -> None:
    """As OpenCV rotates it, to the pixel."""
    path = tmp_path / "a.mp4"
    path.write_bytes(rotate_video(drawn_video(path, TIMES), degrees))
    _, expected = cv2.VideoCapture(str(path)).read()
    with opened(path) as source:
        pixels = frames_of(source)[0].pixels
        assert (source.about.height, source.about.width) == expected.shape[:2]
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", [*NO_VIDEOS, *BROKEN])
def test_no_videos_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / "a.mp4", (NO_VIDEOS | BROKEN)[name]) in {"not_video", "no_frames"}


def test_headers_that_claim_too_much(tmp_path: Path) -> None:
    video = drawn_video(tmp_path / "a.mp4", TIMES)
    assert refusal(tmp_path / "b.mp4", claim_frames(video, 10**9)) == "too_long"
    assert refusal(tmp_path / "b.mp4", video, max_pixels=10_000) == "too_large"
    assert refusal(tmp_path / "b.mp4", video[: video.index(b"mdat")]) in {"no_frames", "not_video"}


def test_what_a_cut_file_still_has_is_read(tmp_path: Path) -> None:
    content = drawn_video(tmp_path / "a.mkv", [number / 10 for number in range(40)], codec="libvpx")
    (tmp_path / "b.mkv").write_bytes(content[: len(content) // 2])
    with opened(tmp_path / "b.mkv") as source:
        assert 0 < len(frames_of(source)) < 40


def test_recordings_that_were_joined_go_on(tmp_path: Path) -> None:
    """The clock of the second restarts: its frames follow those of the first, with their original distances."""
    one = drawn_video(tmp_path / "a.ts", [number / 10 for number in range(30)], codec="libx264")
    (tmp_path / "b.ts").write_bytes(one + one)
    with opened(tmp_path / "b.ts") as source:
        times = [frame.time for frame in frames_of(source)]
    apart = [later - time for time, later in pairwise(times)]
    assert len(times) > 50
    assert min(apart) > 0.05
    assert times[-1] == pytest.approx(len(times) / 10, abs=1)


def test_decoding_that_takes_too_long_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the video may be intact: it is not reported as damaged."""
    drawn_video(tmp_path / "a.mkv", [number / 10 for number in range(40)], codec="libvpx")
    with opened(tmp_path / "a.mkv") as source:
        pieces = source.pieces()
        assert next(pieces)
        monkeypatch.setattr(source.decoders, "run", lambda *_: raise_(OverLimit("time")))
        with pytest.raises(InvalidInput) as caught:
            next(pieces)
    assert caught.value.code == "timeout"


def raise_(error: Exception) -> None:
    raise error


def test_a_long_video_is_cut(tmp_path: Path) -> None:
    drawn_video(tmp_path / "a.mp4", [number / 10 for number in range(40)])
    with opened(tmp_path / "a.mp4", max_frames=20) as source:
        assert (len(frames_of(source)), source.cut) == (20, True)


def test_no_referenced_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a playlist reached its demuxer, the referenced video would not be read."""
    video = tmp_path / "secret.ts"
    drawn_video(video, TIMES)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{video}\n#EXT-X-ENDLIST\n".encode()
    monkeypatch.setattr(open_video, "demuxer_of", lambda _head: "hls")
    assert refusal(tmp_path / "a.m3u8", playlist) == "not_video"
    with pytest.raises(PermissionError):
        refuse_file(str(video), 1, {})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.codec)
def test_each_encoder_preserves_the_times(tmp_path: Path, form: Form) -> None:
    writer = VideoWriter(tmp_path, (160, 120), 10, form)
    for time in TIMES:
        writer.write(np.full((120, 160, 3), 90, np.uint8), time)
    writer.close()
    with av.open(str(writer.path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert [time - times[0] for time in times] == pytest.approx(TIMES, abs=0.002)


def test_h264_is_used_where_available() -> None:
    assert (best_form().codec, best_form().name) == ("libx264", "video.mp4")
    assert fitted(4000, 3001) == (1920, 1440)
    assert fitted(161, 1) == (160, 2)


def test_boxes_and_labels_are_drawn_inside_the_frame() -> None:
    items: list[dict[str, Any]] = [
        {"class": "Célula\n1", "confidence": 0.9, "bbox": [-5.0, -5.0, 400.0, 90.0], "track_id": 3},
        {"class": "x" * 300, "confidence": 0.5, "bbox": [150.0, 110.0, 159.0, 119.0]},
        {"class": "m", "confidence": 0.5, "bbox": [0, 0, 9, 9], "polygon": [[1, 1], [90, 1], [90, 90]]},
        {"class": "k", "confidence": 0.5, "bbox": [0, 0, 9, 9], "keypoints": [[50, 50, 0.9], [1, 1, 0.1]]},
    ]
    frame = np.zeros((120, 160, 3), np.uint8)
    drawn = draw(frame, items, {"Célula\n1": 0, "m": 1})
    assert drawn.shape == (120, 160, 3)
    assert drawn.any(axis=2).sum() > 500


def test_lists_are_json_and_csv(tmp_path: Path) -> None:
    lists = DetectionLists(tmp_path)
    item = {"class": "=1+1", "confidence": 0.5, "bbox": [1.0, 2.0, 3.0, 4.0], "track_id": 7}
    lists.add(0, 0.0, [item])
    lists.add(1, 0.04, [])
    lists.close({"media": {"frames": 2}})
    document = json.loads((tmp_path / "detections.json").read_bytes())
    assert document["frames"] == [
        {"frame": 0, "time": 0.0, "detections": [item]},
        {"frame": 1, "time": 0.04, "detections": []},
    ]
    assert document["media"] == {"frames": 2}
    rows = list(csv.DictReader((tmp_path / "detections.csv").open(encoding="utf-8")))
    assert rows == [
        {"frame": "0", "time": "0.0", "track_id": "7", "class": "'=1+1", "confidence": "0.5"}
        | {"x1": "1.0", "y1": "2.0", "x2": "3.0", "y2": "4.0"}
    ]
    assert lists.classes() == [{"class": "=1+1", "detections": 1, "tracks": 1}]


def test_failures_on_another_thread_are_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("decoder")

    with pytest.raises(OSError, match="decoder"), Ahead(broken(), 1) as items:
        list(items)

    failed = threading.Event()

    def work(_item: int) -> None:
        failed.set()
        raise OSError("encoder")

    with Behind(work, 1) as behind:
        behind.submit((1,))
        assert failed.wait(60)
        with pytest.raises(OSError, match="encoder"):
            behind.finish()
