"""Routes of the pages that need no browser."""

import gzip
import io
import posixpath
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.limits import PUBLIC_DOWNLOADS
from app.models import Dataset
from app.routes.ui import default_model, local_address
from app.services import source
from app.static_files import COMMENT, without_comments
from scripts.local_server import ROOT
from tests.data import valid_dataset

PAGES = ["/", "/datasets", "/trainings", "/trainings/new", "/tests", "/compare", "/system"]


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


def test_the_source_of_this_installation_can_be_downloaded(client: FlaskClient) -> None:
    answer = client.get("/source.tar")
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as tar:
        names = {name.removeprefix("yolo-training-platform/") for name in tar.getnames()}
    assert {"app/web.py", "app/static/js/lib/socket.js", "run.py", "requirements.lock"} <= names
    assert not [name for name in names if "__pycache__" in name or name.split("/")[0] in {".env", "instance", "data"}]


def test_the_source_is_packed_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers may request it; each reader starts at the beginning."""
    first = client.get("/source.tar").data
    monkeypatch.setattr(source, "create_archive", lambda: pytest.fail("packed again"))
    assert client.get("/source.tar").data == first


def test_strangers_have_a_limit_of_downloads(client: FlaskClient, app: APIFlask) -> None:
    slots = app.extensions["waiting"].public_downloads
    for _ in range(PUBLIC_DOWNLOADS):
        assert slots.acquire()
    refused = client.get("/source.tar")
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    slots.release()
    assert client.get("/source.tar").status_code == 200


@pytest.mark.parametrize(
    "address", ["https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)", "/\n", "//["]
)
def test_the_language_switch_goes_nowhere_else(address: str) -> None:
    assert local_address(address) == "/"


def test_the_language_switch_stays_on_the_page(client: FlaskClient) -> None:
    answer = client.post("/language", data={"lang": "en", "next": "/trainings?page=2"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/trainings?page=2")
    assert "<h1>Training runs</h1>" in client.get("/trainings", headers={"Accept-Language": "pt"}).text
    client.post("/language", data={"lang": "tlh", "next": "/"})
    assert 'lang="en"' in client.get("/").text, "an unknown language changes nothing"


@pytest.mark.parametrize(("weights", "size"), [("yolov8m.pt", "m"), ("yolov8x.pt", "x"), ("custom.pt", "n"), ("", "n")])
def test_default_model(weights: str, size: str) -> None:
    assert default_model(weights) == size


def test_scripts_and_styles_are_compressed_for_clients_that_accept_it(client: FlaskClient) -> None:
    page = client.get("/").text
    original_bytes = packed_bytes = 0
    for address in re.findall(r'(?:src|href)="(/(?:static|i18n)/[^"]+\.(?:js|css))"', page):
        uncompressed = client.get(address)
        small = client.get(address, headers={"Accept-Encoding": "gzip, br"})
        assert "Content-Encoding" not in uncompressed.headers
        if small.headers.get("Content-Encoding") == "gzip":
            is_ours = "/js/" in address
            assert gzip.decompress(small.data) == (
                without_comments(uncompressed.data) if is_ours else uncompressed.data
            )
            assert "Accept-Encoding" in small.headers["Vary"]
        assert small.mimetype == uncompressed.mimetype
        assert "immutable" in small.headers["Cache-Control"]
        original_bytes, packed_bytes = original_bytes + len(uncompressed.data), packed_bytes + len(small.data)
    assert packed_bytes < original_bytes / 3


def test_scripts_are_sent_without_comments() -> None:
    script = (
        b"/* What\n   it is. */\nlet a; // stays\n/** @type {X} */ (a).b();\n  // goes\n/** T */\nlet c; /* stays */\n"
    )
    assert without_comments(script) == b"\n\nlet a; // stays\n/** @type {X} */ (a).b();\n\n\nlet c; /* stays */\n"
    for path in (ROOT / "app/static/js").rglob("*.js"):
        text = path.read_bytes()
        for comment in COMMENT.finditer(text):
            before = without_comments(text[: comment.start()])
            assert before.count(b"`") % 2 == 0, f"{path.name}: a comment-like sequence inside a string: {comment[0]!r}"


def test_parts_of_a_file_and_files_that_are_not_there(client: FlaskClient) -> None:
    address = static_address(client, "css/base.css")
    part = client.get(address, headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert (part.status_code, len(part.data)) == (206, 10)
    for bad in (static_address(client, "js/none.js"), "/static/x/../../web.py", "/static/x/%2e%2e/web.js"):
        assert client.get(bad, headers={"Accept-Encoding": "gzip"}).status_code == 404


def static_address(client: FlaskClient, name: str) -> str:
    match = re.search(r"/static/[0-9a-f]+/", client.get("/").text)
    assert match is not None
    return match[0] + name


def test_the_policy_allows_nothing_inline(client: FlaskClient) -> None:
    for path in PAGES:
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        assert "connect-src 'self' ws://localhost wss://localhost;" in policy
        assert not re.search(r"<style|\sstyle=", answer.text), path
    assert "ws://" not in client.get("/", headers={"Host": "a;b"}).headers.get("Content-Security-Policy", "")


def test_the_form_of_a_new_run_names_the_presets_that_it_will_show(client: FlaskClient, app: APIFlask) -> None:
    """The browser requests them with the page, not after its scripts and the list of datasets."""

    def named(query: str = "") -> list[str]:
        text = client.get(f"/trainings/new{query}").text
        return re.findall(r'rel="preload" as="fetch" href="/api/datasets/(\d+)/training-defaults\?start=auto"', text)

    assert named() == []
    older, newer = valid_dataset(app), valid_dataset(app)
    with app.app_context(), writing() as session:
        session.add(Dataset(name="Broken", status="invalid"))
    assert named() == [str(newer)]
    assert named(f"?dataset_id={older}") == [str(older)]
    for other in (newer + 1, newer + 2, "x", "9" * 40, ""):
        assert named(f"?dataset_id={other}") == [str(newer)]
    shutil.rmtree(Path(app.config["DATASETS_DIR"]) / str(newer))
    assert named() == named(f"?dataset_id={newer}") == [str(older)], "its files are missing"
    assert named(f"?clone=1&dataset_id={older}") == [], "a copy has the values of its original"


def test_a_page_names_every_module_that_its_script_imports(client: FlaskClient) -> None:
    page = client.get("/trainings").text
    named = set(re.findall(r'rel="modulepreload" href="/static/[0-9a-f]+/([^"]+)"', page))
    modules = {"js/ui/shell.js", "js/pages/trainings.js"}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        script = client.get(static_address(client, module)).text
        for target in re.findall(r'from "(\.{1,2}/[\w./]+)";|^import "(\./[\w./]+)"', script, re.MULTILINE):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(module), target[0] or target[1]))
            if name not in modules:
                modules.add(name)
                waiting.append(name)
    assert named == modules - {"js/ui/shell.js", "js/pages/trainings.js"}
    assert len(named) > 15
