"""Parses forms with large files: werkzeug's decoder, except that file contents are copied from a buffer to the disk.

werkzeug's own parser copies each byte of a file five times, in pieces of 64 KB with some thirty calls each: half of the
time of a large upload (measured).
"""

from typing import IO, Any

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from app.errors import TooLarge
from app.texts import fill as filled

SMALL, LARGE = 64 * 1024, 256 * 1024  # bytes read at once: of fields, of files
# Bytes passed to the decoder beyond a boundary: if they are cut between "--" and a line break, it misreads the boundary
# (3.1.9).
BEHIND = 1024
PARTS = _l("The form has too many files and fields (limit: %(limit)s). Put the files into one ZIP and upload that.")
FIELD = _l("A field of the form is larger than %(limit_size)s. Shorten it and send the request again.")


class TooManyParts(RequestEntityTooLarge):
    """The form exceeds the maximum number of fields and files."""


class FieldTooLarge(RequestEntityTooLarge):
    """A field that is not a file is too large."""


class FormParser(FormDataParser):
    """werkzeug's parser, with `FileFormParser` for multipart forms."""

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> Any:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("Missing boundary")
        parser = FileFormParser(
            self.stream_factory, self.max_form_memory_size, self.cls, max_form_parts=self.max_form_parts
        )
        try:
            return stream, *parser.parse(stream, boundary, content_length)
        except TooManyParts:
            raise TooLarge(filled(PARTS, {"limit": self.max_form_parts})) from None
        except FieldTooLarge:
            raise TooLarge(filled(FIELD, {"limit": self.max_form_memory_size})) from None


class FileFormParser(MultiPartParser):
    """werkzeug's parser with the same result, but faster for files."""

    def parse(
        self, stream: IO[bytes], boundary: bytes, content_length: int | None
    ) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
        """The fields and files of a form.

        Raises:
            ValueError: it is not a form, or truncated. TooManyParts, FieldTooLarge.
            RequestEntityTooLarge: the body is too large.
        """
        decoder = MultipartDecoder(boundary, self.max_form_memory_size)
        parts = 0
        fields: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        part: Field | File | None = None
        text, file = bytearray(), None
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, NeedData):
                if file is not None:
                    copy_inside(stream, file, decoder, boundary)
                else:
                    decoder.receive_data(read_full(stream, SMALL))
            elif isinstance(event, (Field, File)) and self.is_over(parts := parts + 1):
                raise TooManyParts
            elif isinstance(event, Field):
                part, file, text = event, None, bytearray()
            elif isinstance(event, File):
                part, file = event, self.start_file_streaming(event, content_length)
            elif isinstance(event, Data) and file is not None:
                file.write(event.data)
                if not event.more_data:
                    file.seek(0)
                    assert isinstance(part, File)
                    files.append((part.name, FileStorage(file, part.filename, part.name, headers=part.headers)))
                    file = None
            elif isinstance(event, Data):
                text += event.data
                if self.max_form_memory_size is not None and len(text) > self.max_form_memory_size:
                    raise FieldTooLarge
                if not event.more_data:
                    assert part is not None
                    fields.append((part.name, text.decode(self.get_part_charset(part.headers), "replace")))
        while stream.read(LARGE):  # read the epilogue too, so that a truncated body is an error
            pass
        return self.cls(fields), self.cls(files)

    def is_over(self, parts: int) -> bool:
        return self.max_form_parts is not None and parts > self.max_form_parts


def copy_inside(stream: IO[bytes], file: IO[bytes], decoder: MultipartDecoder, boundary: bytes) -> None:
    """Copy the contents of a file up to where a boundary may begin; the decoder gets the rest.

    A possible start of a boundary is retained, so that no boundary is split.
    """
    mark = b"--" + boundary
    tail = len(mark) + 2  # and the line break before it
    buffer = bytearray(LARGE + BEHIND)
    view = memoryview(buffer)
    size = len(decoder.buffer)  # shorter than `kept`: all else has been given out
    buffer[:size] = decoder.buffer
    del decoder.buffer[:]
    while more := fill(stream, view[size:LARGE], least=1):
        looked, size = max(0, size - tail), size + more
        if buffer.find(mark, looked, size) >= 0:
            size += fill(stream, view[size:])
            decoder.receive_data(bytes(view[:size]))
            return
        if size > tail:
            file.write(view[: size - tail])
            buffer[:tail] = buffer[size - tail : size]
            size = tail
    decoder.receive_data(bytes(view[:size]))
    decoder.receive_data(None)


def read_full(stream: IO[bytes], size: int) -> bytes | None:
    """Read `size` bytes, fewer only at the end of the stream; None at its end."""
    buffer = bytearray(size)
    return bytes(buffer[: fill(stream, memoryview(buffer))]) or None


def fill(stream: IO[bytes], view: memoryview, least: int | None = None) -> int:
    """Fill a buffer from the stream until it has `least` bytes (None: all) or the stream ends; returns how many."""
    size = 0
    while size < (len(view) if least is None else least):
        more = read_into(stream, view[size:])
        if not more:
            break
        size += more
    return size


def read_into(stream: IO[bytes], view: memoryview) -> int:
    """Read at most the size of the buffer; returns how many bytes, 0 at the end of the stream."""
    if hasattr(stream, "readinto"):
        return stream.readinto(view) or 0
    data = stream.read(len(view))
    view[: len(data)] = data
    return len(data)
