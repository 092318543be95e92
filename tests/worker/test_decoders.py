"""Decoding under limits: exceeding them ends one process, and is reported; nothing outlives the pool."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from app.worker import decoder_processes
from app.worker.decoders import (
    ORDINARY,
    DecodeLimits,
    Decoder,
    DecoderPool,
    OverLimit,
    allow_for,
    confined,
    one_at_a_time,
)
from app.worker.isobmff import TooLong, check_movie, tile_pixels
from app.worker.quality import ScanSpec, TooCostlyTogether, processor_budget, scan
from app.worker.quality.model import ImageRecord
from app.worker.shapes import save_picture
from tests.worker.quality.helpers import costly_image

scanning = sys.modules["app.worker.quality.scan"]  # hidden by the function of that name
QUICK = DecodeLimits(seconds=0.3, memory=300 * 2**20)


def double(value: int) -> int:
    return 2 * value


def spin(*_: Any) -> None:
    while True:
        pass


def fill() -> int:
    return len(bytearray(2**30))


def crash() -> None:
    os.abort()


def crashing(*_: Any) -> None:
    os.abort()


def overwrite() -> None:
    """As a fault of a library in C may do before it crashes."""
    assert decoder_processes._work is not None
    decoder_processes._work.positions[0] = 200
    os.abort()


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("so it is")


def process_and_folder() -> tuple[int, str]:
    return os.getpid(), os.getcwd()


def in_turn(mark: Path) -> str:
    mark.touch()
    with one_at_a_time():
        return "had its turn"


def hang() -> None:
    signal.pause()


def call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def work(seconds: float, pixels: int) -> float:
    """Use up this much CPU time, on an image of this many pixels."""
    allow_for(pixels)
    while time.process_time() < seconds:
        pass
    return time.process_time()


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def quick_walls(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(sys.modules["app.worker.decoders"], "GRACE_S", seconds)
    monkeypatch.setattr(sys.modules["app.worker.decoders"], "SLOWED", 0)


OVER_LIMITS = [(spin, "time"), (fill, "memory"), (crash, "crash")]


@pytest.mark.parametrize(("function", "what"), OVER_LIMITS)
def test_what_goes_over_a_limit_is_ended_and_the_next_is_answered(function: Any, what: str) -> None:
    with DecoderPool(1, QUICK) as pool:
        pid, _ = pool.run(process_and_folder)
        with pytest.raises(OverLimit) as caught:
            pool.run(function)
        assert caught.value.what == what
        assert pool.run(double, 4) == 8
        assert pool.run(process_and_folder)[0] != pid, "not by one that may still hold what was too much"


def test_a_batch_is_one_message_with_a_result_for_each_call() -> None:
    with DecoderPool(1, QUICK) as pool:
        pid, _ = pool.run(process_and_folder)
        results = pool.run_batch(call, [(double, 1), (fail,), (process_and_folder,), (double, 4)])
    assert list(results) == [0, 1, 2, 3]
    assert [succeeded for succeeded, _ in results.values()] == [True, False, True, True]
    assert (results[0][1], results[2][1][0], results[3][1]) == (2, pid, 8)
    assert repr(results[1][1]) == repr(ValueError("so it is"))


@pytest.mark.parametrize(("function", "what"), [*OVER_LIMITS, (hang, "wall"), (kill_self, "killed")])
def test_only_the_call_that_exceeds_a_limit_is_charged_with_it(
    function: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "wall":
        quick_walls(monkeypatch, 3)
    with DecoderPool(1, QUICK) as pool:
        pool.run_batch(call, [(double, number) for number in range(8)])  # its positions are forgotten
        results = pool.run_batch(call, [(double, 1), (double, 2), (function,), (double, 4)])
        assert {position: answer.what for position, (_, answer) in results.items()} == {2: what}
        assert pool.run_batch(double, [(1,), (2,), (4,)]) == {0: (True, 2), 1: (True, 4), 2: (True, 8)}
        with pytest.raises(OverLimit) as caught:
            pool.run(function)
        assert caught.value.position == 0


def test_an_overwritten_position_is_one_of_the_batch() -> None:
    with DecoderPool(1, QUICK) as pool:
        ((position, (_, answer)),) = pool.run_batch(call, [(double, 1), (overwrite,), (double, 4)]).items()
    assert (position, answer.what) == (2, "crash")


def test_a_long_batch_is_answered_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has done is lost when the next call ends the decoder."""
    monkeypatch.setattr(decoder_processes, "BATCH_S", 0.0)
    with DecoderPool(1, QUICK) as pool:
        assert pool.run_batch(double, [(3,), (4,)]) == {0: (True, 6)}


def test_an_exception_is_handed_on_and_folders_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DecoderPool(1, QUICK) as pool:
        with pytest.raises(ValueError, match="so it is"):
            pool.run(fail)
        pid, _ = pool.run(process_and_folder)
        monkeypatch.chdir(tmp_path)
        assert pool.run(process_and_folder)[1] == str(tmp_path)
        assert pool.run(process_and_folder)[0] != pid
    assert confined(double, 2) == 4


def test_nothing_outlives_the_pool() -> None:
    before = set(psutil.Process().children(recursive=True))
    with DecoderPool(2, QUICK) as pool:
        pids = {pool.run(process_and_folder)[0] for _ in range(3)}
        assert pids & {item.pid for item in psutil.Process().children(recursive=True)}
    assert set(psutil.Process().children(recursive=True)) <= before


def test_the_time_by_the_wall_begins_with_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_walls(monkeypatch, 5)
    answers: list[str] = []
    with DecoderPool(1, QUICK) as pool:
        pool.run(double, 1)
        with one_at_a_time():  # as another decoder that is busy with a huge image
            asking = threading.Thread(target=lambda: answers.append(pool.run(in_turn, tmp_path / "began")))
            asking.start()
            until((tmp_path / "began").exists)
            asking.join(6)  # longer than the limit
            assert asking.is_alive(), "neither given up nor let past"
        asking.join(60)
    assert answers == ["had its turn"]


def test_an_unresponsive_decoder_is_killed_and_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_walls(monkeypatch, 0.5)
    with DecoderPool(1, QUICK) as pool:
        with pytest.raises(OverLimit) as caught:
            pool.run(hang)
        assert caught.value.what == "wall"


def test_the_processor_time_grows_with_the_pixels() -> None:
    with DecoderPool(1, DecodeLimits(seconds=0.2)) as pool:
        assert pool.run(work, 0.4, 4 * ORDINARY) >= 0.4
        for pixels in (ORDINARY, 4 * ORDINARY):
            with pytest.raises(OverLimit):
                pool.run(work, 60.0, pixels)


def test_a_decoder_that_was_ended_while_idle_blames_no_picture() -> None:
    with DecoderPool(1, QUICK) as pool:
        decoder = psutil.Process(pool.run(process_and_folder)[0])
        decoder.kill()
        until(lambda: not decoder.is_running() or decoder.status() == psutil.STATUS_ZOMBIE)
        assert pool.run(double, 4) == 8


def test_a_killed_fork_server_is_started_again() -> None:
    before = set(psutil.Process().children(recursive=True))
    with DecoderPool(1, QUICK) as pool:
        decoder = psutil.Process(pool.run(process_and_folder)[0])
        psutil.Process(decoder.ppid()).kill()
        decoder.kill()
        until(lambda: not decoder.is_running() or decoder.status() == psutil.STATUS_ZOMBIE)
        assert pool.run(double, 4) == 8
        with pytest.raises(OverLimit):
            pool.run(crash)
        assert pool.run(double, 5) == 10
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_fork_that_fails_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.fork, iter(range(9))

    def fork() -> int:
        if next(calls) == 1:  # the first spare decoder
            raise BlockingIOError(errno.EAGAIN, "no more processes")
        return real()

    monkeypatch.setattr(decoder_processes.os, "fork", fork)
    with DecoderPool(1, QUICK) as pool:
        with pytest.raises(BlockingIOError):
            pool.run(double, 4)
        assert pool.run(double, 4) == 8


def test_one_slow_image_is_a_finding_and_the_rest_are_read(tmp_path: Path) -> None:
    (tmp_path / "b.jp2").write_bytes(costly_image())
    for name in ("a", "c"):
        Image.effect_noise((64, 64), 60).save(tmp_path / f"{name}.jpg")
    spec = ScanSpec(10**8, tmp_path / "thumbnails", workers=2, limits=DecodeLimits(seconds=0.3))
    first, slow, last = scan(sorted(tmp_path.glob("*.jp*")), spec)
    assert first.thumbnail
    assert last.thumbnail
    assert [item["code"] for item in slow.findings] == ["image_slow"]
    assert (slow.unsafe, slow.usable, slow.width) == (True, False, 2000)


def test_too_many_slow_images_end_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_budget, "BUDGET", 1.0)
    for number in range(3):
        (tmp_path / f"{number}.jp2").write_bytes(costly_image())
    with pytest.raises(TooCostlyTogether):
        list(scan(sorted(tmp_path.glob("*.jp2")), ScanSpec(10**8, workers=1, limits=DecodeLimits(seconds=0.2))))


def test_images_that_crash_or_hang_do_not_end_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_budget, "BUDGET", 0.0)
    monkeypatch.setattr(scanning, "read_picture", crashing)
    for name in ("a", "b"):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{name}.jpg")
    records = list(scan(sorted(tmp_path.glob("*.jpg")), ScanSpec(10**8, workers=1)))
    assert ["image_broken" in [item["code"] for item in picture.findings] for picture in records] == [True, True]


def sometimes_deadly(path: Path, *_: Any) -> ImageRecord:
    """Ends its decoder on images whose contents are its cause; others are only hashed."""
    cause = path.read_text()
    if cause:
        {"time": spin, "memory": fill, "crash": crash, "killed": kill_self}[cause]()
    return ImageRecord(sha256=path.stem)


def test_each_image_among_many_has_its_own_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is in the message to the decoder that it ends."""
    monkeypatch.setattr(processor_budget, "BUDGET", 1000.0)
    monkeypatch.setattr(scanning, "read_picture", sometimes_deadly)
    deadly = {3: "time", 4: "memory", 40: "crash", 55: "killed", 99: "time"}
    paths = [tmp_path / f"{number:03}.jpg" for number in range(100)]
    for number, path in enumerate(paths):
        path.write_text(deadly.get(number, ""))
    records = list(scan(paths, ScanSpec(10**8, workers=2, limits=QUICK)))
    codes = {number: record.findings[0]["code"] for number, record in enumerate(records) if record.findings}
    assert codes == {3: "image_slow", 4: "image_memory", 40: "image_broken", 55: "image_broken", 99: "image_slow"}
    assert [record.sha256 for number, record in enumerate(records) if number not in deadly] == [
        path.stem for number, path in enumerate(paths) if number not in deadly
    ]


def test_small_images_share_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[object] = []
    ask = Decoder.ask
    monkeypatch.setattr(Decoder, "ask", lambda self, question: questions.append(question) or ask(self, question))
    monkeypatch.setattr(scanning, "read_picture", sometimes_deadly)
    paths = [tmp_path / f"{number:03}.jpg" for number in range(200)]
    for path in paths:
        path.touch()
    assert [record.sha256 for record in scan(paths, ScanSpec(10**8, workers=1))] == [path.stem for path in paths]
    assert len(questions) < len(paths) / 4


def test_images_that_nobody_needs_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were begun before the dataset's files were known."""
    monkeypatch.setattr(scanning, "read_picture", sometimes_deadly)
    paths = [tmp_path / f"{number:03}.jpg" for number in range(100)]
    for path in paths:
        path.touch()
    with scanning.Scan(ScanSpec(10**8, workers=1)) as running:
        for path in paths:
            running.begin(path)
        assert [record.sha256 for record in running.pictures(paths[90:])] == [path.stem for path in paths[90:]]


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def grid(tiles: int, side: int) -> bytes:
    """A HEIC whose main image is composed of one tile, used repeatedly."""
    number = (2).to_bytes(2, "big")
    ispe = box(b"ispe", bytes(4) + side.to_bytes(4, "big") * 2)
    ipma = box(b"ipma", bytes(4) + (1).to_bytes(4, "big") + number + b"\x01\x81")
    dimg = box(b"dimg", (1).to_bytes(2, "big") + tiles.to_bytes(2, "big") + number * tiles)
    pitm = box(b"pitm", bytes(4) + (1).to_bytes(2, "big"))
    meta = bytes(4) + pitm + box(b"iref", bytes(4) + dimg) + box(b"iprp", box(b"ipco", ispe) + ipma)
    return box(b"ftyp", b"heic" + bytes(4)) + box(b"meta", meta)


def test_tiles_are_counted_as_often_as_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "grid.heic"
    path.write_bytes(grid(300, 8000))
    with open(path, "rb") as file:
        assert tile_pixels(file) == 300 * 8000 * 8000


def test_the_tables_of_a_video_have_an_honest_length(tmp_path: Path) -> None:
    def film(samples: int) -> Path:
        sizes = box(b"stsz", bytes(8) + samples.to_bytes(4, "big"))
        track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", sizes))))
        path = tmp_path / "film.mp4"
        path.write_bytes(box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", track))
        return path

    with open(film(1000), "rb") as file:
        check_movie(file)
    with open(film(4_000_000_000), "rb") as file, pytest.raises(TooLong):
        check_movie(file)
    large = tmp_path / "large.mp4"
    large.write_bytes(box(b"ftyp", b"isom" + bytes(4)) + (2**31).to_bytes(4, "big") + b"moov")
    with open(large, "rb") as file, pytest.raises(TooLong):
        check_movie(file)


def test_frames_are_counted_in_what_is_called_tiff(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), (8 * number, 0, 0)) for number in range(30)]
    path = tmp_path / "moving.tif"
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:])
    (record,) = scan([path], ScanSpec(40 * 40 * 5, workers=1))
    assert "image_frames" in [item["code"] for item in record.findings]
    assert record.unsafe


def test_all_pages_of_a_tiff_have_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV decodes them at once."""
    pages = [Image.new("RGB", (40, 30), (8 * number, 0, 0)) for number in range(5)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    allowed: list[int] = []
    monkeypatch.setattr("app.worker.quality.header.allow_for", allowed.append)
    for name in ("a.tif", "a.gif"):
        scanning.read_picture(tmp_path / name, 10**8)
    assert allowed == [40 * 30 * 5, 40 * 30], "of a GIF only the first frame is decoded"


def killed_once(path: Path, *_: Any) -> ImageRecord:
    if not path.with_suffix(".seen").exists():
        path.with_suffix(".seen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return ImageRecord(sha256="whole")


def killed(*_: Any) -> ImageRecord:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_killed_decoder_is_no_proof_of_memory_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed by the system, possibly because of another image: it is read once more."""
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64)).save(path)
    monkeypatch.setattr(scanning, "read_picture", killed_once)
    (record,) = scan([path], ScanSpec(10**8, workers=1))
    assert (record.sha256, record.findings) == ("whole", [])
    monkeypatch.setattr(scanning, "read_picture", killed)
    (record,) = scan([path], ScanSpec(10**8, workers=1))
    ((code, data),) = [(item["code"], item["data"]) for item in record.findings]
    assert code == "image_broken"
    assert "killed" in data["reason"]


def test_a_refusal_does_not_wait_for_what_is_being_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(scanning, "read_picture", spin)
    began, decoders = time.monotonic(), set()

    def refuse() -> None:
        with scanning.Scan(ScanSpec(10**8, workers=1, limits=DecodeLimits(seconds=300))) as running:
            running.begin(tmp_path / "a.jpg")
            until(lambda: running.decoders._at_work)
            decoders.update(decoder.pid for decoder in running.decoders._at_work)
            raise LookupError

    with pytest.raises(LookupError):
        refuse()
    assert time.monotonic() - began < 100
    assert decoders
    assert not [pid for pid in decoders if psutil.pid_exists(pid)]


def test_images_that_are_merely_slow_count_together(tmp_path: Path) -> None:
    """Each within its own time limit: what counts is the excess over the maximum for images of their size."""
    limits = DecodeLimits(seconds=10.0)
    spent_together = processor_budget.ProcessorBudget(limits)
    for _ in range(10_000):
        spent_together.add(16_000_000, 4.9)
        spent_together.add(640 * 480, 0.05)
    assert spent_together.seconds == 0
    for _ in range(11):
        spent_together.add(640 * 480, 9.0)
    with pytest.raises(TooCostlyTogether):
        spent_together.add(640 * 480, 9.0)


@pytest.mark.parametrize("size", [(20_000, 3), (3, 20_000)])
@pytest.mark.parametrize("mode", ["1", "LA", "RGB"])
def test_an_image_that_is_a_line_ends_no_scan(tmp_path: Path, size: tuple[int, int], mode: str) -> None:
    """Scaled down, its shorter side would be zero."""
    Image.new(mode, size).save(tmp_path / "line.png")
    (record,) = scan([tmp_path / "line.png"], ScanSpec(10**8, workers=1))
    assert (record.width, record.height) == size
    assert min(save_picture(tmp_path / "line.png", tmp_path / "small.jpg")) == 1
