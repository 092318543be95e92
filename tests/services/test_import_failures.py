"""Why an import failed: complete sentences in the reader's language, whatever the process reported."""

from typing import Any

import pytest
from apiflask import APIFlask

from app.core.imports import NOT_ACCEPTED
from app.jobs import Job, JobStatus
from app.services.datasets.import_failures import reason, refusal
from app.services.datasets.texts import REASONS, message_of

ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"code": "out_of_memory", "message": "the system's memory ran out, and it killed the process"}, "memória", ""),
    ({"code": "code", "message": NOT_ACCEPTED}, "mover", ""),
    ({"code": "killed", "message": "signal 11, SIGSEGV"}, "inesperadamente (SIGSEGV)", ""),
    ({"code": "killed", "message": "the process ended while the server was away"}, "inesperadamente. Exclua", ""),
    ({"code": "killed", "message": "the event file was damaged, and the process's result with it"}, "inesperad", ""),
    ({"code": "stalled", "message": "no heartbeat for 60 s"}, "parou de responder", ""),
    ({"code": "disk_full", "message": "No space left on device"}, "disco está cheio", ""),
    ({"code": "code", "message": "KeyError: 'x'"}, "falhou: KeyError: 'x'", "KeyError: 'x'"),
]


@pytest.mark.parametrize(("error", "words", "quoted"), ERRORS, ids=lambda value: str(value)[:40])
def test_no_english_in_a_portuguese_sentence(app: APIFlask, error: dict[str, Any], words: str, quoted: str) -> None:
    job = Job(kind="import_dataset", status=JobStatus.FAILED, error=error)
    with app.test_request_context(headers={"Accept-Language": "pt-BR"}):
        failure = reason(job)
        for text in (message_of(REASONS, failure["code"], failure["data"]), refusal(error).detail):
            rest = text.replace(quoted, "")
            assert not {"the", "and", "of", "was", "not", "process"} & set(rest.lower().split()), text
        assert words in message_of(REASONS, failure["code"], failure["data"])
