"""Arbitrary input: names in ZIPs, YAML, label lines, annotations, ids, and socket payloads.

FUZZ_CASES is the number of each; `make fuzz` sets it.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import create_app
from app.database import upgrade_if_old
from app.extensions import socketio
from app.routes.live import HANDLERS
from app.worker.formats import detect
from app.worker.formats.readers import READERS
from scripts.local_server import settings_for
from tests.conftest import close_database
from tests.fuzz.targets import SAMPLES, TARGETS, seeds

CASES = int(os.environ.get("FUZZ_CASES", "20"))
MOST_LINES = 30
fuzz = settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=[*HealthCheck], derandomize=CASES < 1000
)

HOSTILE = st.sampled_from(
    [
        "..",
        ".",
        "",
        "/",
        "\\",
        "C:",
        "\0",
        "CON",
        "a.jpg",
        "a.JPG",
        "aux.txt",
        " ",
        "labels",
        "images",
        "\u202e",
        "é",
        "e\u0301",
    ]
)
PARTS = HOSTILE | st.text(max_size=12)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("/".join) | st.text(max_size=40)
NUMBERS = st.sampled_from(
    ["nan", "-0", "1e400", "0x1", "1_0", "٣", "1.0000001", "-0.01", "0.5", "1", "9" * 40]
) | st.floats().map(str)
LINES = st.lists(st.lists(NUMBERS | st.text(max_size=5), max_size=12).map(" ".join), max_size=MOST_LINES).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
YAML = JSON.map(json.dumps) | st.text(alphabet=" -:{}[]&*!|>'\"#%@\n\tabc01", max_size=80)


def zip_of(names: list[str]) -> bytes:
    """Names without changes: `writestr` would correct some."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            try:
                archive.writestr(info, b"x")
            except (UnicodeError, UserWarning):  # half of a surrogate pair: no tool writes it
                continue
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@fuzz
@given(st.lists(NAMES, max_size=8))
def test_names_in_a_zip(names: list[str]) -> None:
    TARGETS["zip"](zip_of(names))


@fuzz
@given(st.data())
def test_damaged_zips(data: st.DataObject) -> None:
    TARGETS["zip"](damage(data, "zip"))


@fuzz
@given(LINES.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=200))
def test_label_lines(raw: bytes) -> None:
    TARGETS["labels"](raw)


@fuzz
@given(YAML.map(lambda text: f"names: {text}\n".encode("utf-8", "replace")) | st.binary(max_size=200))
def test_yaml(raw: bytes) -> None:
    TARGETS["yaml"](raw)


@pytest.mark.parametrize("target", SAMPLES)
@fuzz
@given(st.data())
def test_annotations(target: str, data: st.DataObject) -> None:
    TARGETS[target](damage(data, target))


def damage(data: st.DataObject, target: str) -> bytes:
    """A file as written by a tool, with some bytes replaced, removed or inserted."""
    raw = bytearray(data.draw(st.sampled_from(seeds()[target])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        length = data.draw(st.integers(0, 8))
        raw[at : at + length] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"[", b"-1", b"1e999", b"null"])
        )
    return bytes(raw)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    app = create_app("cli", settings_for(tmp_path_factory.mktemp("fuzz"), SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    yield app
    close_database(app)


@fuzz
@given(
    template=st.sampled_from(
        ["datasets/{}", "trainings/{}", "tests/{}/image", "jobs/{}", "evaluations/{}/curves", "uploads/{}"]
    ),
    number=st.integers().map(str) | st.text(max_size=30) | st.sampled_from(["0", "-1", "1e9", "9" * 19, "%00", "../x"]),
)
def test_ids(app: APIFlask, template: str, number: str) -> None:
    from urllib.parse import quote

    answer = app.test_client().get(f"/api/{template.format(quote(number, safe='', errors='replace'))}")
    assert answer.status_code in {200, 308, 400, 404, 405, 412}, (template, number, answer.status_code)


@fuzz
@given(event=st.sampled_from(sorted(HANDLERS)) | st.text(min_size=1, max_size=10), payload=JSON)
def test_what_sockets_send(app: APIFlask, event: str, payload: Any) -> None:
    if event in {"connect", "disconnect", "connect_error", "*", "message", "json"}:
        return
    socket = socketio.test_client(app)
    try:
        answer = socket.emit(event, payload, callback=True)
    finally:
        socket.disconnect()
    assert isinstance(answer, dict)
    assert answer["ok"] or 400 <= answer["status"] < 500, answer


def test_each_format_has_its_sample() -> None:
    """And each seed is read as the format that it is named after."""
    texts = {"yaml", "txt", "names", "pbtxt"}  # of YOLO
    parts = {"supervisely-meta": "supervisely"}
    assert {parts.get(name, name) for name in SAMPLES.keys() - texts} == READERS.keys() - {
        "yolo",
        "cvat-yolo",
        "folders",
    }
    for name, sample in SAMPLES.items():
        for seed in sample.seeds if name not in {*texts, "csv"} else ():
            (sample.source / sample.fed).write_bytes(seed)
            formats = {item.format for item in detect(sample.source, sample.task)}
            assert parts.get(name, name) in formats, (name, seed, formats)
