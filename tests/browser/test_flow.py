"""A new user's steps, in Chromium: an upload, a training with its live curve, a stop, a test with boxes."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.jobs.process import child_environment
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot, wait_until
from tests.data import image_bytes
from tests.test_sample import draw

pytestmark = [pytest.mark.browser, pytest.mark.training]

MODE = "eventlet"  # the other browser tests run under threading
POINTS = "window.Chart.getChart(document.querySelector('[data-charts] canvas'))?.data.datasets[0]?.data.length ?? 0"


def start_training(page: Page, url: str, dataset: str, epochs: int) -> None:
    page.goto(f"{url}/trainings/new?dataset_id={dataset}")
    page.locator("[name=model_version][value=n]").check()
    for name, value in {"epochs": epochs, "img_size": 64, "batch_size": 16}.items():
        page.locator(f"[name={name}]").fill(str(value))
    page.locator("[data-submit]").click()
    page.wait_for_url(re.compile(r"/trainings/\d+$"), timeout=240_000)


def upload_sample(page: Page, folder: Path) -> str:
    """Upload the sample's ZIP as a user does; returns the dataset's id."""
    assert draw(folder, train=240, val=60, size=192, seed=0).returncode == 0
    page.locator("[data-files]").set_input_files(folder / "sample.zip")
    upload = page.locator("section.upload")
    upload.locator("[name=name]").fill("Formas enviadas")
    upload.get_by_role("button", name="Enviar").click()
    expect(upload).to_contain_text("Pronto para treinar", timeout=180_000)
    shoot(page, "flow-upload")
    link = upload.get_by_role("link", name="Treinar com este dataset").get_attribute("href")
    assert link is not None
    return link.rsplit("=", 1)[-1]


def test_the_sample_is_one_click_away(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Usar o dataset de exemplo").click()
    page.wait_for_url(re.compile(r"/datasets/\d+$"), timeout=240_000)
    expect(page.locator("[data-status]")).to_contain_text("Pronto")
    expect(page.locator("[data-classes]")).to_contain_text("circ")
    shoot(page, "flow-dataset")


@pytest.mark.timeout(600)  # two trainings, and a program that uses the weights
def test_from_an_upload_to_boxes(open_page: Open, site: Server, tmp_path: Path) -> None:
    page = open_page("/datasets")
    dataset = upload_sample(page, tmp_path / "sample")

    start_training(page, site.url, dataset, 4)
    training = page.url.rsplit("/", 1)[-1]
    page.evaluate("window.sameDocument = true")
    wait_until(page, f"({POINTS}) >= 1", 240)
    first = page.evaluate(POINTS)
    wait_until(page, f"({POINTS}) === 4", 240)
    assert first < 4
    assert page.evaluate("window.sameDocument") is True, "the curve grew without a reload"
    expect(page.locator("[data-status]")).to_contain_text("Concluído", timeout=240_000)
    expect(page.locator("[data-light]")).to_contain_text("ao vivo")
    expect(page.locator("[data-log]")).not_to_be_empty()
    expect(page.locator("[data-verdict] h2")).to_be_visible()
    expect(page.locator("[data-verdict]")).to_contain_text("Próximo passo")
    use_the_weights(page, tmp_path)
    shoot(page, "flow-training")

    start_training(page, site.url, dataset, 300)
    expect(page.locator("[data-verdict]")).to_be_hidden()
    # The page was opened while the run was pending: with the first checkpoint it gets the button of the weights.
    expect(page.locator("[data-download]")).to_be_visible(timeout=240_000)
    expect(page.locator("[data-evaluations]")).to_be_visible()
    expect(page.locator("[data-export-format]")).to_be_visible()
    expect(page.locator("[data-status]")).to_contain_text("Em andamento")
    page.locator("[data-action=stop]").click()
    page.locator("dialog").get_by_role("button", name="Interromper treinamento").click()
    expect(page.locator("[data-status]")).to_contain_text("Interrompido")
    expect(page.locator("[data-action=stop]")).to_have_count(0)
    expect(page.locator("[data-verdict] h2")).to_be_visible()
    expect(page.locator("[data-evaluation-row]")).to_have_count(1)  # its evaluation follows

    page.goto(f"{site.url}/tests?training_id={training}")
    page.locator("[name=confidence]").fill("0")
    page.locator("[data-file]").set_input_files(
        {"name": "picture.jpg", "mimeType": "image/jpeg", "buffer": image_bytes((192, 192), (40, 40, 150, 150))}
    )
    expect(page.locator("[data-found] tbody tr").first).to_be_visible()
    boxes = page.locator("[data-found-count]").text_content() or ""
    expect(page.locator("[data-picture] canvas")).to_have_attribute("data-drawn", boxes)
    expect(page.locator("[data-history] .test-shot")).to_have_count(1)
    shoot(page, "flow-test")
    page.locator("[name=confidence]").fill("1")
    expect(page.locator("[data-picture] canvas")).to_have_attribute("data-drawn", "0")


def use_the_weights(page: Page, folder: Path) -> None:
    """The weights' button explains how to use them, and its code works on the downloaded file."""
    page.locator("[data-download]").click()
    dialog = page.locator("dialog")
    with page.expect_download() as download:
        dialog.locator("[data-weights]").click()
    code = dialog.locator("pre").first.inner_text()
    download.value.save_as(folder / download.value.suggested_filename)
    (folder / "photo.jpg").write_bytes(image_bytes((192, 192)))
    environment = child_environment({"YOLO_CONFIG_DIR": str(folder)})
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=200)
    page.keyboard.press("Escape")


# The page is open, but hidden; notifications are recorded.
UNSEEN = """() => {
  window.rung = [];
  document.hasFocus = () => false;
  window.Notification = class {
    static permission = "granted";
    constructor(title, { body }) { window.rung.push([title, body]); }
  };
}"""


def test_notes_come_in_the_readers_language(open_page: Open, site: Server) -> None:
    """They are broadcast to readers of every language."""
    dataset = site.post("/api/datasets/sample").json()["dataset_id"]
    while site.get(f"/api/datasets/{dataset}").json()["status"] != "valid":
        time.sleep(0.1)
    values = {"dataset_id": dataset, "model_version": "n", "epochs": 300, "img_size": 32}
    training = site.post("/api/trainings", json=values).json()["training_id"]
    page = open_page(f"/trainings/{training}", locale="en")
    expect(page.locator("[data-light]")).to_contain_text("live")
    expect(page.locator("[data-events]")).to_contain_text("Optimizer", timeout=180_000)  # it loads torch first
    expect(page.locator("[data-events]")).to_contain_text("The run starts from scratch")
    expect(page.locator("[data-status]")).to_contain_text("Running")
    page.evaluate(UNSEEN)
    page.locator("[data-bell]").click()
    expect(page.locator("[data-bell]")).to_have_attribute("aria-pressed", "true")
    site.post(f"/api/trainings/{training}/stop")
    expect(page.locator("[data-status]")).to_contain_text("Stopped")
    name = site.get(f"/api/trainings/{training}").json()["name"]
    wait_until(page, "window.rung.length")
    assert page.evaluate("window.rung") == [["Run stopped", name]]
