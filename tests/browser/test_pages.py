"""Every page on an empty server and on one with rows: languages, themes, phones, hostile names, failures."""

import math
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Dataset, Training, TrainingMetric
from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, shoot, wait_until
from tests.data import zip_bytes

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
PAGES = [
    "/",
    "/datasets",
    "/datasets/1",
    "/trainings",
    "/trainings?trash=true",
    "/trainings/1",
    "/trainings/new",
    "/tests",
]
EPOCHS = 100


def metric(epoch: int) -> TrainingMetric:
    progress = 1 - math.exp(-4 * epoch / EPOCHS)
    parts = {f"{side}/{name}_loss": 2 - progress for side in ("train", "val") for name in ("box", "cls", "dfl")}
    return TrainingMetric(
        epoch=epoch,
        loss=6 - 3 * progress,
        val_loss=6 - 3 * progress,
        precision=0.9 * progress,
        recall=0.8 * progress,
        map50=0.85 * progress,
        map95=0.6 * progress,
        learning_rate=0.01 * (1 - epoch / EPOCHS),
        parts=parts,
    )


@pytest.fixture(scope="module")
def full(site: Server) -> Iterator[None]:
    """Rows as after some use."""
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        dataset = Dataset(
            name=f"Cars {EVIL} " + "long " * 14,
            classes=[EVIL, *(f"class_{n}" for n in range(39))],
            total_images=300,
            train_images=240,
            val_images=60,
            status="valid",
            report={"boxes": {str(n): n * 7 + 1 for n in range(40)}},
        )
        dataset.trainings = [
            Training(
                name=f"run {n} {EVIL}",
                model_version="n",
                epochs=EPOCHS,
                total_epochs=EPOCHS,
                current_epoch=EPOCHS,
                status="completed",
                metrics=[metric(epoch) for epoch in range(1, EPOCHS + 1)] if n == 0 else [],
            )
            for n in range(30)
        ]
        session.add(dataset)
        session.commit()
    yield
    engine.dispose()


def settled(page: Page) -> Page:
    """The page has loaded its contents."""
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")
    expect(page.locator("main .skeleton:visible")).to_have_count(0)
    return page


def test_the_empty_dashboard_offers_the_sample(open_page: Open) -> None:
    page = settled(open_page("/", locale="en"))
    expect(page.get_by_role("button", name="Use the sample dataset")).to_be_visible()
    expect(page.get_by_role("link", name="Upload a dataset").first).to_be_visible()
    for path in ("/datasets", "/trainings", "/trainings/new", "/tests"):
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + path)
        expect(page.locator("main .blank:visible")).to_have_count(1)
    page.goto(page.url.replace("/tests", "/compare"))
    page.get_by_role("button", name="Choose runs").click()
    expect(page.locator(".picker-list")).to_contain_text("No runs yet")
    expect(page.locator(".picker-list a")).to_have_attribute("href", "/trainings/new")


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_and_render_names_as_text(open_page: Open, full: None, path: str) -> None:
    for width, theme, locale in ((1280, "light", "en"), (360, "dark", "pt-BR")):
        page = settled(open_page(path, locale=locale, width=width, theme=theme))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} scrolls sideways at {width}"
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.dataset.bsTheme") == theme
        shoot(page, f"page-{path.strip('/').replace('/', '-') or 'dashboard'}-{theme}-{width}")


def test_language_and_theme_stay(open_page: Open, full: None) -> None:
    page = settled(open_page("/trainings?status=completed", locale="en"))
    expect(page.locator("h1")).to_have_text("Training runs")
    page.get_by_role("button", name="PT", exact=True).click()
    expect(page.locator("h1")).to_have_text("Treinamentos")
    assert page.url.endswith("/trainings?status=completed")
    page.get_by_role("button", name="Aparência").click()
    page.get_by_role("button", name="Escura").click()
    page.reload()
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert page.locator("html").get_attribute("lang") == "pt-BR"


def test_lists_page_and_search_on_the_server(open_page: Open, full: None) -> None:
    page = settled(open_page("/trainings", locale="en"))
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    assert "page=2" in page.url
    page.keyboard.press("/")
    page.keyboard.type("run 17")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "search=run+17" in page.url


def test_a_chart_that_comes_to_the_screen_has_the_best_epoch_and_the_crosshair(open_page: Open, full: None) -> None:
    page = settled(open_page("/trainings/1", locale="en"))
    chart = page.locator("[data-charts] article", has_text="Loss components")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".chart-guide.is-best")).to_be_visible()
    chart.locator("canvas").hover()
    expect(chart.locator(".chart-guide:not(.is-best)")).to_be_visible()


def test_curves_can_be_switched_and_downloaded(open_page: Open, full: None) -> None:
    page = settled(open_page("/trainings/1", locale="en"))
    chart = "Chart.getChart(document.querySelector('[data-charts] canvas'))"
    wait_until(page, f"{chart}.data.datasets[0].data.length === {EPOCHS}")
    key = page.locator(".key", has_text="mAP50-95")
    key.click()
    expect(key).to_have_attribute("aria-pressed", "false")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV: mAP").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == '"epoch","mAP50","mAP50-95"'
    assert len(lines) == EPOCHS + 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as PNG: mAP").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_failing_part_shows_its_error_and_retries(open_page: Open, full: None) -> None:
    page = settled(open_page("/trainings", locale="en", expected="503"))
    answers = {"fail": True}

    def answer(route: Route) -> None:
        body = '{"title": "Temporarily unavailable", "detail": "The database is busy.", "errors": []}'
        if answers["fail"]:
            route.fulfill(status=503, content_type="application/problem+json", body=body)
        else:
            route.continue_()

    page.route(re.compile(r"/api/trainings\?page=2&"), answer)
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_role("alert")).to_contain_text("The database is busy.")
    answers["fail"] = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody tr")).to_have_count(5)


def test_a_refused_upload_names_the_reason(open_page: Open) -> None:
    page = settled(open_page("/datasets", locale="en"))
    content = zip_bytes({"images/a.jpg": bytes(100_000)})
    reasons = {
        "x.txt": (b"no", "This is not a ZIP file."),
        "text.zip": (b"no", "This is not a ZIP file."),
        "rar.zip": (b"Rar!\x1a\x07\x01\x00" + bytes(100), "This is a RAR archive renamed to ZIP. Extract it"),
        "half.zip": (content[: len(content) // 2], "The ZIP is incomplete."),
        "none.zip": (b"", "The file is empty"),
    }
    files: list[FilePayload] = [
        {"name": name, "mimeType": "application/zip", "buffer": sent} for name, (sent, _) in reasons.items()
    ]
    complete: FilePayload = {"name": "whole.zip", "mimeType": "application/zip", "buffer": content + bytes(1000)}
    page.locator("[data-files]").set_input_files([*files, complete])
    for name, (_, reason) in reasons.items():
        expect(page.locator(f"[data-uploads] section[aria-label='{name}']")).to_contain_text(reason)
    expect(page.locator("[data-uploads] section[aria-label='whole.zip']").get_by_label("Name")).to_have_value("whole")


def test_the_status_light_reports_a_lost_connection(open_page: Open) -> None:
    page = settled(open_page("/", locale="en"))
    page.evaluate("""() => {
      const light = document.querySelector("[data-light]");
      window.seen = [];  // it is back within half a second
      new MutationObserver(() => window.seen.push(light.dataset.light)).observe(light, { attributes: true });
    }""")
    page.evaluate(f"import({SOCKET}).then((module) => module.live.socket.io.engine.close())")
    expect(page.locator("[data-toasts]")).to_contain_text("Reconnected")
    wait_until(page, "window.seen.includes('reconnecting') && window.seen.at(-1) === 'live'")


def test_an_unknown_page_is_explained(site: Server) -> None:
    answer = site.get("/trainings/999", headers={"Accept": "text/html", "Accept-Language": "pt"})
    assert answer.status_code == 404
    assert "O treinamento 999 não existe." in answer.text
    assert 'lang="pt-BR"' in answer.text


def test_the_language_switch_stays_on_this_server(site: Server) -> None:
    for target in ("https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)"):
        answer = site.post("/language", data={"lang": "en", "next": target}, allow_redirects=False)
        assert answer.headers["Location"] in {"/", site.url + "/"}
