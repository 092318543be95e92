"""Uploads of the client that a cut does not undo: tus 1.0, by tuspy."""

import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .api import Connection

FROM_BYTES = 20 * 1024**2  # smaller files are sent again as quickly as they are gone on with
CHUNK = 64 * 1024**2
RETRIES, RETRY_S = 10, 3
GONE = {404, 410}


class Refused(Exception):
    """The server's problem+json, or what is known of a connection that broke."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail"))
        self.problem = problem


def possible(connection: "Connection") -> bool:
    """Whether the server has resumable uploads, and this machine what they need."""
    if importlib.util.find_spec("tusclient") is None:
        return False
    return connection.session.options(connection.url + "/api/uploads", timeout=60).headers.get("Tus-Version") == "1.0.0"


def upload(connection: "Connection", file: Path, name: str, state: Path | None, chunk: int) -> int:
    """Send a ZIP in chunks with checksums, each tried again when the connection breaks; the new dataset's id.

    Args:
        state: remembers where the upload is, so that the next call goes on there.

    Raises:
        Refused: by the server, or it cannot be reached.
    """
    from tusclient.exceptions import TusCommunicationError
    from tusclient.fingerprint.fingerprint import Fingerprint
    from tusclient.storage.filestorage import FileStorage

    memory = FileStorage(str(state)) if state else None
    with open(file, "rb") as stream:
        key = Fingerprint().get_fingerprint(stream)
    try:
        uploader = resumed(connection, file, name, memory, key, chunk)
        uploader.upload()
        dataset_id = created(connection, urlsplit(uploader.url).path)
        if memory:
            memory.remove_item(key)
        return dataset_id
    except TusCommunicationError as error:
        raise Refused(problem_of(error)) from error
    finally:
        if memory:
            memory.close()


def resumed(connection: "Connection", file: Path, name: str, memory: Any, key: str, chunk: int) -> Any:
    """tuspy's uploader, at the offset that the server has; from the start when that upload is gone."""
    from tusclient.client import TusClient
    from tusclient.exceptions import TusCommunicationError

    tus = TusClient(connection.url + "/api/uploads", connection.headers())
    options = {
        "chunk_size": chunk,
        "metadata": {"filename": file.name, "name": name},
        "upload_checksum": True,
        "retries": RETRIES,
        "retry_delay": RETRY_S,
        "store_url": memory is not None,
        "url_storage": memory,
    }
    try:
        return tus.uploader(str(file), **options)
    except TusCommunicationError as error:
        if memory is None or error.status_code not in GONE:
            raise
        memory.remove_item(key)
        return tus.uploader(str(file), **options)


def created(connection: "Connection", path: str) -> int:
    """The dataset that a complete upload becomes.

    Raises:
        Refused: the file is no dataset.
    """
    while (answer := connection.request("GET", path).json())["state"] in {"receiving", "checking"}:
        time.sleep(0.2)
    if answer["state"] == "failed":
        raise Refused(answer["problem"])
    return answer["dataset_id"]


def problem_of(error: Any) -> dict[str, Any]:
    """What the server said; else what tuspy says."""
    try:
        return json.loads(error.response_content)
    except (TypeError, ValueError):
        return {"status": error.status_code or 0, "detail": str(error), "errors": []}
