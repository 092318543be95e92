"""The client's resumable uploads: tus 1.0, by tuspy."""

import hashlib
import importlib.util
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .answers import Problem

if TYPE_CHECKING:
    from .api import Connection

FROM_BYTES = 20 * 1024**2  # smaller files are sent again as quickly as they are resumed
CHUNK = 64 * 1024**2
RETRIES, RETRY_S = 10, 3
NOT_FOUND = {404, 410}


class Refused(Exception):
    """The server's problem+json, or the error of a broken connection."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.get("detail"))
        self.problem = problem


def possible(connection: "Connection") -> bool:
    """Whether the server has resumable uploads, and tuspy is installed here."""
    if importlib.util.find_spec("tusclient") is None:
        return False
    return connection.send("OPTIONS", "/api/uploads").headers.get("Tus-Version") == "1.0.0"


def upload(
    connection: "Connection", file: Path, fields: Mapping[str, str], id_field: str, state: Path | None, chunk: int
) -> int:
    """Send a file in chunks with checksums; each is retried when the connection breaks.

    Args:
        fields: of the form that a small file would be sent with.
        id_field: the name of the returned id in the server's response: `dataset_id` or `prediction_id`.
        state: stores the upload's position, so that the next call resumes there.

    Raises:
        Refused: by the server, or it cannot be reached.
    """
    from tusclient.exceptions import TusCommunicationError
    from tusclient.storage.filestorage import FileStorage

    memory = FileStorage(str(state)) if state else None
    try:
        uploader = resumed(connection, file, fields, memory, chunk)
        uploader.upload()
        number = created(connection, urlsplit(uploader.url).path, id_field)
        if memory:
            memory.remove_item(key_of(file, fields))
        return number
    except TusCommunicationError as error:
        raise Refused(problem_of(error)) from error
    finally:
        if memory:
            memory.close()


def key_of(file: Path, fields: Mapping[str, str]) -> str:
    """The key of an upload in the state: the same file with other fields has another key."""
    from tusclient.fingerprint.fingerprint import Fingerprint

    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    with open(file, "rb") as stream:
        return f"{Fingerprint().get_fingerprint(stream)}--fields:{digest}"


def resumed(connection: "Connection", file: Path, fields: Mapping[str, str], memory: Any, chunk: int) -> Any:
    """tuspy's uploader, at the server's offset; from the start if that upload no longer exists."""
    from tusclient.client import TusClient
    from tusclient.exceptions import TusCommunicationError
    from tusclient.fingerprint.interface import Fingerprint

    class OfFields(Fingerprint):
        def get_fingerprint(self, _stream: Any) -> str:
            return key_of(file, fields)

    tus = TusClient(connection.url + "/api/uploads", connection.headers())
    options = {
        "chunk_size": chunk,
        "metadata": {"filename": file.name, **fields},
        "upload_checksum": True,
        "retries": RETRIES,
        "retry_delay": RETRY_S,
        "store_url": memory is not None,
        "url_storage": memory,
        "fingerprinter": OfFields(),
    }
    try:
        return tus.uploader(str(file), **options)
    except TusCommunicationError as error:
        if memory is None or error.status_code not in NOT_FOUND:
            raise
        memory.remove_item(key_of(file, fields))
        return tus.uploader(str(file), **options)


def created(connection: "Connection", path: str, id_field: str) -> int:
    """The id of the object created from a complete upload.

    Raises:
        Refused: the file cannot be used.
    """
    while (answer := connection.request("GET", path).json())["state"] in {"receiving", "checking"}:
        time.sleep(0.2)
    if answer["state"] == "failed":
        raise Refused(answer["problem"])
    return answer[id_field]


def problem_of(error: Any) -> Problem:
    """The server's problem; otherwise tuspy's message."""
    try:
        return json.loads(error.response_content)
    except (TypeError, ValueError):
        return {"status": error.status_code or 0, "detail": str(error), "errors": []}
