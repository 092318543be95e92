"""Values that only Python's JSON parser accepts: 4xx, and the same from every operation."""

import json
import os
from typing import Any

import pytest
from apiflask import APIFlask

from app.access.secrets import owner_secret
from app.web import JSONProvider
from tests.attacks.conftest import Target
from tests.data import yolo_zip

HALF = '"a\\ud800b"'
NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 4000, str(2**63), str(-(2**63) - 1)]


def bodies(target: Target) -> dict[tuple[str, str], dict[str, str]]:
    """Each operation that reads JSON, with a valid body: field to JSON text."""
    training = f"/api/trainings/{target.training_id}"
    dataset = f"/api/datasets/{target.dataset_id}"
    new = {"dataset_id": str(target.dataset_id), "epochs": "1"}
    return {
        ("POST", "/api/trainings"): new,
        ("POST", "/api/trainings/check"): new,
        ("POST", "/api/trainings/estimate"): new,
        ("PATCH", training): {},
        ("POST", f"{training}/clone"): {},
        ("POST", f"{training}/extend"): {"epochs": "1"},
        ("POST", f"{training}/run-again"): {},
        ("POST", f"{training}/stop"): {},
        ("POST", f"{training}/evaluations"): {"split": '"val"'},
        ("POST", f"{training}/exports"): {"format": '"onnx"'},
        ("PUT", f"{training}/thresholds"): {},
        ("PUT", "/api/trainings/queue"): {"order": "[1]"},
        ("POST", f"{dataset}/revisions"): {},
        ("POST", f"{dataset}/fixes"): {},
        ("POST", "/api/datasets/import"): {"path": '"x"', "name": '"x"'},
    }


def send(target: Target, method: str, path: str, fields: dict[str, str]) -> Any:
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    return target.server.call(method, path, data=text.encode(), headers={"Content-Type": "application/json"})


def test_texts_and_numbers_in_every_json_body(target: Target) -> None:
    before = target.counts()
    for (method, path), fields in bodies(target).items():
        odd = [
            ("name", HALF),
            ("params", f"{{{HALF}: 1}}"),
            ("description", '"a\\u0000"'),
            ("rename", f'{{"a": {HALF}}}'),
            ("classes", f"{{{HALF}: 0.5}}"),
            ("classes", '{"a": NaN}'),
        ]
        odd += [(name, number) for number in NUMBERS for name in ("epochs", "learning_rate", "priority")]
        odd += [("params", f'{{"lrf": {number}}}') for number in NUMBERS] + [("order", f"[1, {NUMBERS[0]}]")]
        for name, value in odd:
            answer = send(target, method, path, fields | {name: value})
            assert answer.status_code in {404, 422} if path.endswith("import") else answer.status_code == 422, (
                method,
                path,
                name,
                value[:20],
                answer.text,
            )
            assert name in {item["field"].split(".")[0] for item in answer.json()["errors"]}, answer.text
        keys = send(target, method, path, fields | {"\\udc00": "1"})
        assert (keys.status_code, "errors" in keys.json()) == (422, True)
    assert target.counts() == before


@pytest.mark.parametrize(
    "value", [f"[{HALF}]", '["a\\u0000"]', "[NaN]", "[1e400]", f'["x", {"9" * 4000}]', "[" * 100_000]
)
def test_json_in_a_form(target: Target, value: str) -> None:
    for field in ("names", "rename", "split"):
        files = {"file": ("a.zip", yolo_zip())}
        answer = target.server.post("/api/datasets", data={"name": "A", field: value}, files=files)
        assert answer.status_code == 422, answer.text
        assert {item["field"].split(".")[0] for item in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("number", ["9223372036854775806", "9" * 4000, "NaN", "1e400", "-1", "%ED%A0%80", "%00", "%FF"])
def test_query_strings(target: Target, number: str) -> None:
    training = f"/api/trainings/{target.training_id}"
    statuses_by_query = {
        **{f"{training}/events?{name}=": {422} for name in ("wait", "limit")},
        **{f"/api/trainings?{name}=": {422} for name in ("page", "per_page")},
        **{f"{training}/{name}?after=": {200, 422} for name in ("log", "events")},
        **{f"/api/{name}?search=": {200, 422} for name in ("trainings", "datasets", "tests", "tests/models")},
        **{f"/api/{name}=": {200, 422} for name in ("trainings?dataset_id", "tests?training_id")},
        **{f"/api/{name}=": {404, 422} for name in ("trainings/compare?ids", "datasets/import?path")},
        f"/api/datasets/{target.dataset_id}/images?class=": {200, 404, 422},
    }
    for query, statuses in statuses_by_query.items():
        answer = target.server.get(query + number)
        assert answer.status_code in statuses, (query, answer.text)
        if number == "%00":
            assert answer.status_code in {404, 422}


@pytest.mark.parametrize("part", ["%00", "a%00b", "%ED%A0%80", "%0A", "%E2%80%A8", "..%00"])
def test_addresses(target: Target, part: str) -> None:
    training = f"/api/trainings/{target.training_id}"
    for path in ("files/{}", "checkpoints/{}/download", "previews/{}"):
        assert target.server.get(f"{training}/{path.format(part)}").status_code == 404
    assert target.server.get(f"/api/uploads/{part}").status_code == 404
    assert target.server.get(f"/i18n/{part}/en.js").status_code in {200, 404}
    assert target.server.get(f"/static/{part}/js/lib/api.js").status_code in {200, 404}


def test_a_log_position_behind_the_end(target: Target) -> None:
    url = f"/api/trainings/{target.training_id}/log"
    assert target.server.get(url).json() == {"text": "a line\n", "offset": 7}
    for after in (7, 8, 2**62, 2**63 - 2, 2**63 - 1):
        assert target.server.get(f"{url}?after={after}").json() == {"text": "", "offset": after}


def test_names_that_would_be_headers(target: Target) -> None:
    """gunicorn's SCRIPT_NAME and PATH_INFO from a proxy; ours sets neither."""
    for name in ("SCRIPT_NAME", "PATH_INFO", "Script-Name", "REMOTE_USER", "X-Forwarded-Proto", "X-Forwarded-For"):
        for value in ("/x", "/api", "https", "1.2.3.4, evil", "a,b;c", "%00"):
            answer = target.server.get("/health", headers={name: value})
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"}), (name, value)


def test_contradictory_proxy_headers(target: Target) -> None:
    """gunicorn alone would refuse the pairs and treat the first as HTTPS; TRUSTED_PROXIES decides, and is empty."""
    pairs = [
        {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"},
        {"X-Forwarded-Proto": "http", "X-Forwarded-Protocol": "ssl"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "80", "X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-For": "not an address, , ::1%0", "X-Forwarded-Proto": "ftp"},
        {"Forwarded": 'for="_x;proto=', "X-Forwarded-Host": "a b<>"},
    ]
    token = {"Authorization": f"Bearer {owner_secret(target.server.folder / 'instance')}"}  # otherwise 401
    for headers in pairs:
        for path in ("/health", "/", "/api/datasets", "/socket.io/?EIO=4&transport=polling"):
            answer = target.server.get(path, headers=headers | token)
            assert answer.status_code == 200, (path, headers, answer.text)
            assert "evil.example" not in answer.text


def test_names_of_files_that_are_not_unicode() -> None:
    """Python represents them with half of a surrogate pair; JSON has an escape for it."""
    text = JSONProvider(APIFlask("test")).dumps({"name": os.fsdecode(b"\xff.jpg"), "other": "é\U0001f600"})
    assert json.loads(text.encode()) == {"name": "\udcff.jpg", "other": "é\U0001f600"}


def test_no_internal_errors(target: Target) -> None:
    assert "Traceback" not in target.server.log()
