"""The warm process with several concurrent requests, without a model."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.worker.picture import BadPicture
from app.worker.programs.predict import Question, Questions
from app.worker.serving import lanes
from app.worker.serving.batches import Batcher, PredictionOutcome
from app.worker.serving.pixels import PixelBudget
from tests.data import image_bytes
from tests.worker.quality.helpers import costly_image

LONGEST_S = 60.0


class Answering:
    """Stands in for an engine, and for the models that have it: its results are its images. Its first run waits for
    `queued`.
    """

    def __init__(self) -> None:
        self.began, self.queued = threading.Event(), threading.Event()
        self.runs: list[list[str]] = []

    def get(self, _path: str, _export: object) -> tuple[Any, None]:
        return self, None

    def names(self) -> dict[str, list[str]]:
        return {}

    def run(self, images: list[str], _conf: float, _iou: float) -> list[str]:
        self.runs.append(images)
        if len(self.runs) == 1:
            self.began.set()
            assert self.queued.wait(LONGEST_S)
        if "bad" in images:
            raise ValueError("bad")
        return images


class Asking:
    """Puts images into the queue of a batcher, in order, during its first run."""

    def __init__(self, engine: Answering, threads: ThreadPoolExecutor) -> None:
        self.engine, self.threads = engine, threads
        self.batcher = Batcher(engine)  # type: ignore[arg-type]
        self.first = self.ask("first")
        assert engine.began.wait(LONGEST_S)
        self.waiting = 0

    def ask(self, image: str, conf: float = 0.5) -> "Future[PredictionOutcome]":
        return self.threads.submit(self.batcher.run, "a.pt", None, image, conf, 0.5)

    def enqueue(self, image: str, conf: float = 0.5) -> "Future[PredictionOutcome]":
        answer, self.waiting = self.ask(image, conf), self.waiting + 1
        wait_for(lambda: self.batcher._queue.qsize() == self.waiting)
        return answer


@pytest.fixture
def asking() -> Iterator[Asking]:
    engine = Answering()
    with ThreadPoolExecutor(20) as threads:
        client = Asking(engine, threads)
        try:
            yield client
        finally:
            engine.queued.set()
            client.batcher.close()


def wait_for(there: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not there():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_images_that_wait_run_together(asking: Asking) -> None:
    """At most eight, and only those with the same thresholds."""
    same = [asking.enqueue(f"{number}") for number in range(3)]
    second = asking.enqueue("other", conf=0.3)
    same += [asking.enqueue(f"{number}") for number in range(3, 10)]
    asking.engine.queued.set()
    assert [(answer.result().result, answer.result().batch) for answer in same] == [
        (f"{number}", 8 if number < 8 else 2) for number in range(10)
    ]
    assert (asking.first.result().batch, second.result().batch) == (1, 1)
    assert [len(images) for images in asking.engine.runs] == [1, 8, 1, 2]


def test_one_failure_does_not_affect_the_batch(asking: Asking) -> None:
    answers = {image: asking.enqueue(image) for image in ("one", "bad", "two")}
    asking.engine.queued.set()
    with pytest.raises(ValueError, match="bad"):
        answers["bad"].result()
    assert [(answers[image].result().result, answers[image].result().batch) for image in ("one", "two")] == [
        ("one", 1),
        ("two", 1),
    ]


def test_small_images_do_not_pass_a_large_one() -> None:
    budget, order = PixelBudget(10, 4), []  # type: ignore[var-annotated]
    small_there = threading.Event()

    def acquire(pixels: int) -> None:
        budget.acquire(pixels)
        order.append(pixels)

    def acquire_small() -> None:
        acquire(3)
        small_there.set()

    budget.acquire(6)
    with ThreadPoolExecutor(2) as threads:
        threads.submit(acquire, 8)
        wait_for(budget._turn.locked)
        threads.submit(acquire_small)
        assert not small_there.wait(0.2), "it would fit beside the 6"
        budget.release(6)
        wait_for(lambda: order == [8])
        budget.release(8)
    assert order == [8, 3]


def test_slow_decoding_blocks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of such images wait for each other, further ones are refused, and all others continue."""
    monkeypatch.setattr(lanes, "MOST_SLOW", 2)
    (tmp_path / "slow.jp2").write_bytes(costly_image(1200))
    (tmp_path / "small.jpg").write_bytes(image_bytes())
    decoders = lanes.Lanes(64_000_000, 2.0, 1)

    def ending(name: str) -> str:
        try:
            with decoders.picture(tmp_path / name) as picture:
                return f"{picture.width} x {picture.height}"
        except BadPicture as error:
            return error.code

    try:
        with ThreadPoolExecutor(2) as threads:
            with decoders.slow_turn._turn:  # the first one takes very long
                waiting = [threads.submit(ending, "slow.jp2") for _ in range(2)]
                wait_for(lambda: decoders.slow_turn._waiting._value == 0)
                assert ending("small.jpg") == "64 x 48"
                assert ending("slow.jp2") == "busy"
            assert {answer.result() for answer in waiting} <= {"1200 x 1200", "stopped"}
        assert ending("small.jpg") == "64 x 48"
        assert decoders.budget._used == 0
    finally:
        decoders.quick.close()
        decoders.slow.close()


@pytest.mark.parametrize("action", [lambda: {"found": object()}, lambda: {1j: 0}])
def test_each_question_is_answered(action: Callable[[], dict[Any, Any]]) -> None:
    """Even if the answer cannot be represented in JSON."""
    here, there = socket.socketpair()
    with here:
        channel: Any = SimpleNamespace(spec={"socket": there.detach()}, stop_requested=lambda: False)
        questions = Questions(channel)
        Question(questions, {"id": 7, "do": "it"}).reply({"it": action})
        questions.connection.close()
        reply = json.loads(here.makefile().readline())
    assert (reply["id"], reply["ok"], reply["code"]) == (7, False, "code")
    assert "TypeError" in reply["detail"]
