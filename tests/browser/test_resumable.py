"""A large upload in Chromium: paused, interrupted, its server restarted, its page reloaded; it ends as one valid
dataset.
"""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.local_server import Server
from tests.browser.conftest import Open, shoot, wait_until
from tests.test_uploads import drawn_zip

pytestmark = pytest.mark.browser

MODE = "eventlet"  # the other browser tests run under threading


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """170 images, about 26 MB: above the size from which the page sends in chunks."""
    path = tmp_path_factory.mktemp("large") / "grande.zip"
    path.write_bytes(drawn_zip(170))
    assert path.stat().st_size > 21 * 2**20
    return path


# The first retry, after 500 ms, waits until it is released.
HOLD_RETRIES = """() => {
  const real = window.setTimeout;
  window.late = [];
  window.setTimeout = (act, wait, ...rest) => {
    if (wait !== 500) return real(act, wait, ...rest);
    window.setTimeout = real;
    return window.late.push(act);
  };
}"""


def slowly(page: Page, bytes_a_second: int) -> Callable[[bool], None]:
    """Throttles the upload, so that it can be interrupted; the returned function, called with True, disconnects the
    network.
    """
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")

    def emulate(offline: bool) -> None:
        speed = {"latency": 5, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
        session.send("Network.emulateNetworkConditions", {"offline": offline} | speed)

    emulate(False)
    return emulate


def share(upload: Locator) -> int:
    return int(upload.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)


def wait_for_share(page: Page, upload: Locator, least: int) -> None:
    for _ in range(1200):
        if share(upload) >= least:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{share(upload)} %, not {least} %: {upload.inner_text()}")


def received(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.folder / "data" / "uploads").glob("*/bin"))


def begin(page: Page, archive: Path, name: str) -> Locator:
    page.locator("[data-files]").set_input_files(archive)
    upload = page.locator("section.upload")
    upload.locator("[name=name]").fill(name)
    upload.get_by_role("button", name="Enviar").click()
    return upload


def test_an_upload_survives_pause_restart_and_reload(open_page: Open, site: Server, archive: Path) -> None:
    page = open_page("/datasets", expected="ERR_")
    slowly(page, 2_500_000)
    upload = begin(page, archive, "Grande")
    wait_for_share(page, upload, 15)
    expect(upload).to_contain_text("/s ·")
    shoot(page, "resumable-sending")

    upload.get_by_role("button", name="Pausar").click()
    expect(upload).to_contain_text("Pausado")
    shoot(page, "resumable-paused")
    paused = received(site)
    assert 0 < paused < archive.stat().st_size
    upload.get_by_role("button", name="Retomar").click()
    wait_for_share(page, upload, 35)

    page.evaluate(HOLD_RETRIES)
    site.kill()
    expect(upload).to_contain_text("Conexão perdida")  # already before the retries are exhausted
    expect(upload).not_to_contain_text("/s ·")
    page.evaluate("window.late.splice(0).forEach((retry) => retry())")
    shoot(page, "resumable-lost")
    stored = received(site)
    site.start()
    wait_for_share(page, upload, 60)
    assert received(site) >= stored >= paused, "nothing is sent twice"

    page.reload()
    upload = page.locator("section.upload")
    expect(upload).to_contain_text("O upload parou em")
    shoot(page, "resumable-reloaded")
    page.set_viewport_size({"width": 360, "height": 800})
    shoot(page, "resumable-reloaded-360")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    page.set_viewport_size({"width": 1280, "height": 900})
    slowly(page, -1)
    page.locator("[data-files]").set_input_files(archive)
    expect(page.locator("section.upload")).to_have_count(1)
    expect(upload).to_contain_text("Pronto para treinar", timeout=180_000)
    shoot(page, "resumable-done")

    (dataset,) = site.get("/api/datasets").json()["datasets"]
    assert (dataset["name"], dataset["status"], dataset["total_images"]) == ("Grande", "valid", 170)
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('tus::grande'))") == []
    page.reload()
    expect(page.locator("[data-dataset]")).to_have_count(1)
    expect(page.locator("section.upload")).to_have_count(0)


def test_offline_it_waits_and_cancel_leaves_nothing(open_page: Open, site: Server, archive: Path) -> None:
    page = open_page("/datasets", locale="en", theme="dark", expected="ERR_")
    offline = slowly(page, 2_500_000)
    page.locator("[data-files]").set_input_files(archive)
    upload = page.locator("section.upload")
    upload.get_by_role("button", name="Upload").click()
    wait_for_share(page, upload, 10)
    offline(True)
    expect(upload).to_contain_text("Connection lost")
    shoot(page, "resumable-offline-dark")
    offline(False)
    expect(upload).to_contain_text("/s ·")
    wait_for_share(page, upload, 25)
    upload.get_by_role("button", name="Cancel").click()
    expect(page.locator("section.upload")).to_have_count(0)
    for _ in range(100):
        if not list((site.folder / "data" / "uploads").glob("*/bin")):
            break
        page.wait_for_timeout(50)
    assert received(site) == 0
    # The browser removes it with the server's response, a moment after the server has.
    wait_until(page, "!Object.keys(localStorage).some((key) => key.startsWith('tus::'))")


def test_a_refused_file_names_the_reason(open_page: Open, site: Server, tmp_path: Path) -> None:
    """After its last byte, as for a plain upload."""
    bad = tmp_path / "estranho.zip"
    bad.write_bytes(b"no ZIP at all" * 1_700_000 + b"PK\5\6" + b"\xff" * 18)  # its end looks like a ZIP's to the page
    page = open_page("/datasets")
    upload = begin(page, bad, "Estranho")
    alert = upload.get_by_role("alert")
    expect(alert).to_contain_text(re.compile("ZIP"))
    shoot(page, "resumable-refused")
    alert.get_by_role("button", name="Editar e tentar novamente").click()
    expect(upload.locator("[name=name]")).to_be_visible()


def test_unfinished_uploads_of_other_users_are_listed_and_removed(open_page: Open, site: Server) -> None:
    """More than a page of the API has; those without a byte are listed, too."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(2 * 2**30)}
    for number in range(102):
        name = base64.b64encode(f"set-{number}.zip".encode()).decode()
        assert site.post("/api/uploads", headers=headers | {"Upload-Metadata": f"filename {name}"}).status_code == 201
    page = open_page("/datasets", locale="en", width=360, theme="dark")
    panel = page.locator("details.server-uploads")
    panel.get_by_text("102 unfinished uploads on the server").click()
    expect(panel.locator("li")).to_have_count(100)
    first = panel.locator("li").first
    expect(first).to_contain_text("set-101")
    expect(first).to_contain_text(re.compile(r"of\s2\sGB"))
    shoot(page, "uploads-unfinished-360")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    first.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(panel).to_contain_text("101 unfinished uploads")
    expect(panel).to_have_attribute("open", "")

    panel.get_by_role("button", name="Remove all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove 101 uploads?")
    shoot(page, "uploads-remove-all-360")
    dialog.get_by_role("button", name="Remove all").click()
    expect(panel).to_have_count(0)
    assert site.get("/api/uploads?unfinished=true").json()["total"] == 0
