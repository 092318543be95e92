"""Routes of the pages that need no browser."""

import io
import re
import tarfile

import pytest
from flask.testing import FlaskClient

from app.routes.ui import default_model, local_address

PAGES = ["/", "/datasets", "/trainings", "/trainings/new", "/tests"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer_without_inline_scripts(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<script>" not in answer.text
    assert " onclick=" not in answer.text
    assert 'href="http' not in answer.text.replace('href="https://www.gnu.org', "")


def test_every_file_that_a_page_names_is_there(client: FlaskClient) -> None:
    for path in PAGES:
        for address in re.findall(r'(?:src|href)="(/(?:static|i18n)/[^"]+)"', client.get(path).text):
            answer = client.get(address)
            assert answer.status_code == 200, address
            assert "immutable" in answer.headers["Cache-Control"], address


def test_the_source_of_this_installation_can_be_taken(client: FlaskClient) -> None:
    answer = client.get("/source.tar")
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as tar:
        names = {name.removeprefix("yolo-training-platform/") for name in tar.getnames()}
    assert {"app/web.py", "app/static/js/socket.js", "run.py", "requirements.lock"} <= names
    assert not [name for name in names if "__pycache__" in name or name.split("/")[0] in {".env", "instance", "data"}]


@pytest.mark.parametrize(
    "address", ["https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)", "/\n"]
)
def test_the_language_switch_goes_nowhere_else(address: str) -> None:
    assert local_address(address) == "/"


def test_the_language_switch_keeps_the_page(client: FlaskClient) -> None:
    answer = client.post("/language", data={"lang": "en", "next": "/trainings?page=2"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/trainings?page=2")
    assert "<h1>Trainings</h1>" in client.get("/trainings", headers={"Accept-Language": "pt"}).text
    client.post("/language", data={"lang": "tlh", "next": "/"})
    assert 'lang="en"' in client.get("/").text, "an unknown language changes nothing"


@pytest.mark.parametrize(("weights", "size"), [("yolov8m.pt", "m"), ("yolov8x.pt", "x"), ("custom.pt", "n"), ("", "n")])
def test_default_model(weights: str, size: str) -> None:
    assert default_model(weights) == size
