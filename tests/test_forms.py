"""Forms with files: the same fields and files as from werkzeug's own parser, wherever a body is divided."""

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from app import forms
from app.forms import FileFormParser

BOUNDARY = b"ab-cd"
# Similar to a boundary, and dissimilar
PIECES = (b"\r\n", b"\n", b"\r", b"--ab-cd", b"--ab-c", b"--", b"-", b"ab-cd", b" ", b"x" * 30, bytes(range(256)))
contents = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)
parts = st.lists(st.tuples(st.booleans(), contents), max_size=4)


class Trickling(io.BytesIO):
    """A body that arrives in chunks of these sizes, repeatedly."""

    def __init__(self, body: bytes, sizes: list[int]) -> None:
        super().__init__(body)
        self.sizes = itertools.cycle(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(next(self.sizes), size if size and size > 0 else 1 << 30))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def body_of(items: list[tuple[bool, bytes]]) -> bytes:
    body = b""
    for number, (is_file, content) in enumerate(items):
        name = f'name="part{number}"' + (f'; filename="{number}.zip"' if is_file else "")
        head = f"Content-Disposition: form-data; {name}\r\n\r\n".encode()
        body += b"--" + BOUNDARY + b"\r\n" + head + content + b"\r\n"
    return body + b"--" + BOUNDARY + b"--\r\n"


def parse(parser: MultiPartParser, stream: io.BytesIO) -> object:
    """Fields and files as plain values, or the kind of the refusal."""
    try:
        fields, files = parser.parse(stream, BOUNDARY, None)
    except ValueError:
        return ValueError
    uploads = {name: [(file.filename, file.headers, file.read()) for file in files.getlist(name)] for name in files}
    return dict(fields.lists()), uploads


@given(parts, st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 60))
@settings(max_examples=400, deadline=None)
def test_it_finds_what_werkzeug_finds(items: list[tuple[bool, bytes]], sizes: list[int], cut: int) -> None:
    """Complete and truncated; werkzeug gets the body in one piece, since its result depends on where it is divided."""
    body = body_of(items)
    for sent in (body, body[: max(0, len(body) - cut)]):
        assert parse(FileFormParser(), Trickling(sent, sizes)) == parse(MultiPartParser(), io.BytesIO(sent))


def test_a_large_file_arrives_intact_at_any_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every length around the size of the buffer, so that the boundary is divided by its end in every way."""
    monkeypatch.setattr(forms, "LARGE", 64)
    monkeypatch.setattr(forms, "SMALL", 100)
    content = bytes(itertools.islice(itertools.cycle(b"\r\n--ab-c\r\n-"), 400))
    for length in range(100, 300):
        fields, files = FileFormParser().parse(io.BytesIO(body_of([(True, content[:length])])), BOUNDARY, None)
        assert not fields
        assert files["part0"].read() == content[:length]


def test_fields_stay_small() -> None:
    """A field has a limit, a file has none."""
    small = {"max_form_memory_size": 200_000, "max_form_parts": 3}
    huge = body_of([(True, bytes(600_000)), (False, b"x")])
    _fields, files = FileFormParser(**small).parse(io.BytesIO(huge), BOUNDARY, None)  # type: ignore[arg-type]
    assert len(files["part0"].read()) == 600_000
    for refused in (body_of([(False, bytes(300_000))]), body_of([(False, b"x")] * 4)):
        with pytest.raises(RequestEntityTooLarge):
            FileFormParser(**small).parse(io.BytesIO(refused), BOUNDARY, None)  # type: ignore[arg-type]
