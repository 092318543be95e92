"""Videos that browsers do not play are decoded in a child; hostile ones get a clear refusal and leave nothing."""

import io
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from apiflask import APIFlask

from app.core.videos import is_video
from app.events import Failed
from app.services.infer import videos
from app.services.predictions.inputs import InputFile, PredictionInput
from app.services.predictions.jobs import IMAGES
from app.worker.programs.video import container_of
from tests.data import change_settings, image_bytes

ENGLISH = {"Accept-Language": "en"}


def film(
    path: Path, code: str = "mp4v", frames: int = 20, fps: float = 10, size: tuple[int, int] = (160, 120)
) -> bytes:
    """A video as OpenCV writes it; each frame is brighter than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 255 * number // frames, np.uint8))
    writer.release()
    return path.read_bytes()


def send(app: APIFlask, content: bytes, name: str = "film.mp4") -> Any:
    form = {"file": (io.BytesIO(content), name)}
    return app.test_client().post("/api/tests/videos", data=form, headers=ENGLISH)


def decode(content: bytes, folder: Path) -> tuple[list[float], float]:
    """The brightness of each frame, and the frames per second."""
    (folder / "made.webm").write_bytes(content)
    video = cv2.VideoCapture(str(folder / "made.webm"))
    brightness = []
    while (answer := video.read())[0]:
        brightness.append(float(answer[1].mean()))
    return brightness, video.get(cv2.CAP_PROP_FPS)


def staged_folders(app: APIFlask) -> list[Path]:
    return [path for path in Path(app.config["DATA_ROOT"], "tmp").glob("*") if path.is_dir()]


@pytest.mark.parametrize(
    ("name", "code"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.avi", "XVID"), ("a.mov", "mp4v"), ("a.mkv", "XVID")]
)
def test_videos_of_opencv_become_playable_in_browsers(idle_app: APIFlask, tmp_path: Path, name: str, code: str) -> None:
    answer = send(idle_app, film(tmp_path / name, code), name)
    assert answer.status_code == 200, answer.get_json()
    assert (answer.mimetype, answer.headers["X-Video-Cut"]) == ("video/webm", "false")
    frames, fps = decode(answer.data, tmp_path)
    assert (len(frames), round(fps)) == (20, 10)
    assert frames[0] < frames[10] < frames[19]
    answer.close()
    assert staged_folders(idle_app) == []


def test_fast_and_large_videos_are_subsampled_and_downscaled(idle_app: APIFlask, tmp_path: Path) -> None:
    answer = send(idle_app, film(tmp_path / "a.mp4", frames=60, fps=60, size=(1600, 900)))
    frames, fps = decode(answer.data, tmp_path)
    assert (len(frames), round(fps)) == (10, 10)
    video = cv2.VideoCapture(str(tmp_path / "made.webm"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (1280, 720)


def test_a_long_video_is_cut_and_marked(idle_app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is not known in advance: the file claims to be short, or the time limit is reached."""
    monkeypatch.setattr(videos, "WORK_S", 0.0)
    answer = send(idle_app, film(tmp_path / "a.mp4"))
    assert answer.status_code == 422, "not one frame in no time"
    monkeypatch.undo()
    monkeypatch.setattr(videos, "MOST_FRAMES", 5)
    content = film(tmp_path / "a.mp4")
    frames, _ = decode(send(idle_app, content).data, tmp_path)
    assert len(frames) == 5, "every fourth: the entire video in few frames"


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 500,
        PLAYLIST,
        CONCAT,
        image_bytes(),
        b"RIFF\xff\xff\xff\xffAVI LIST",
        b"\x1a\x45\xdf\xa3" + b"\xff" * 99,
        b"\0\0\0\x18ftypmp42" + b"\xff" * 3000,
        b"<html>",
        b"GIF89a" + b"\0" * 90,
    ],
)
def test_hostile_files_are_refused(idle_app: APIFlask, content: bytes) -> None:
    answer = send(idle_app, content)
    assert answer.status_code in {400, 422}, answer.data[:200]
    assert "video" in answer.get_json()["errors"][0]["message"] or answer.status_code == 400
    assert staged_folders(idle_app) == []


def test_playlists_are_refused_before_decoding() -> None:
    assert not container_of(PLAYLIST)
    assert not container_of(CONCAT)
    assert not container_of(b"<?xml version='1.0'?><MPD>")


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"])
def test_images_in_the_container_of_videos_are_images(brand: bytes) -> None:
    head = b"\0\0\0\x1cftyp" + brand + b"\0\0\0\0"
    assert not is_video(head)
    assert is_video(head.replace(brand, b"isom"))
    assert PredictionInput([InputFile(io.BytesIO(head), "a")], many=True).source() == IMAGES


def test_a_truncated_video_yields_its_frames_or_a_reason(idle_app: APIFlask, tmp_path: Path) -> None:
    video = film(tmp_path / "a.avi", "MJPG", frames=40)
    half = send(idle_app, video[: len(video) // 2], "half.avi")
    assert half.status_code in {200, 422}
    if half.status_code == 200:
        assert 0 < len(decode(half.data, tmp_path)[0]) < 40
    index_lost = send(idle_app, film(tmp_path / "a.mp4")[:-400])  # an MP4 has its index at its end
    assert index_lost.status_code == 422
    assert "ffmpeg" in index_lost.get_json()["detail"] or "decoded" in index_lost.get_json()["detail"]


def test_oversized_frames_are_refused_before_decoding(idle_app: APIFlask, tmp_path: Path) -> None:
    change_settings(idle_app, MAX_IMAGE_PIXELS=10_000)
    answer = send(idle_app, film(tmp_path / "a.mp4"))
    assert answer.status_code == 413


def children() -> set[int]:
    """The job processes of this process."""
    alive = [item for item in psutil.Process().children(recursive=True) if item.status() != psutil.STATUS_ZOMBIE]
    return {item.pid for item in alive if "app.worker.run" in item.cmdline()}


def test_a_decoder_that_hangs_is_killed(idle_app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "KILL_S", 0.0)
    before, began = children(), time.monotonic()
    answer = send(idle_app, film(tmp_path / "a.mp4"))
    assert (answer.status_code, time.monotonic() - began < 30) == (422, True)
    assert "too long" in answer.get_json()["detail"]
    assert children() - before == set()
    assert staged_folders(idle_app) == []
    monkeypatch.undo()
    assert send(idle_app, film(tmp_path / "a.mp4")).status_code == 200, "the next one is converted"


def test_one_at_a_time(idle_app: APIFlask, tmp_path: Path) -> None:
    converter = idle_app.extensions["services"].inference.videos
    assert converter._free.acquire(blocking=False)
    try:
        answer = send(idle_app, film(tmp_path / "a.mp4"))
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        converter._free.release()


def test_a_full_disk_is_not_blamed_on_the_video(app: APIFlask) -> None:
    with app.app_context():
        assert videos.failure(Failed("disk_full", "No space left on device")).status == 507
        assert videos.failure(Failed("code", "cannot decode")).status == 422
