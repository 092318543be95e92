"""Every page, in both themes: axe reports nothing serious, the console stays silent, no other host is requested, and a
page's scripts and styles stay small. The last two are checked by `open_page`.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response, ViewportSize, expect

from app.config import database_uri
from scripts.bench.pages import LIMITS, fill
from scripts.local_server import Server
from tests.browser.conftest import Open, wait_until

pytestmark = pytest.mark.browser

PAGES = {
    "/": "[data-latest] tbody tr",
    "/datasets": "main a[href='/datasets/1']",
    "/datasets/1": "main h1",
    "/trainings": "tbody tr",
    "/trainings?trash=true": "main .blank",
    "/trainings?search=nothing": "main .panel-empty",
    "/trainings/1": "[data-charts] canvas",
    "/trainings/new": ".preset",
    "/compare": "main .blank",
    "/compare?ids=1,2,3&all=1": "[data-settings] tbody tr",
    "/tests": "main h1",
    "/system": "[data-processes] tbody tr",
    "/help": "[data-guide] h2",
    "/trainings/999": "main .blank",
    "/api/docs": ".title",
}
# A matrix with each shade of right and wrong cells.
EVALUATION = {
    "task": "detect",
    "names": ["circle", "square", "triangle"],
    "images": 60,
    "objects": 225,
    "confidence": 0.4,
    "iou": 0.45,
    "best": None,
    "curves": None,
    "accuracy": None,
    "cells": {},
    "pictures": [],
    "worst": [],
    "matrix": [[0, 0, 90], [0, 1, 80], [1, 1, 9], [1, 0, 3], [3, 2, 60], [2, 2, 5], [1, 3, 4], [3, 0, 40], [2, 3, 9]],
}
PHONE: ViewportSize = {"width": 360, "height": 800}
OF_COLOURS = ("color-contrast", "link-in-text-block")  # axe's rules whose result depends on the theme
NOT_OURS = {"/api/docs"}  # drawn by Swagger UI
RECORD = """
const ask = window.fetch;
window.asked = [];
window.fetch = (path, options) => { window.asked.push(path); return ask(path, options); };
"""


@pytest.fixture(scope="module")
def full(site: Server) -> None:
    """Rows as after some use."""
    fill(database_uri(site.settings["DATABASE_URL"]), 30, 20, datasets=3)
    folder = Path(site.settings["DATA_ROOT"], "models", "1", "evaluation")
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))


def grave(page: Page, *rules: str) -> list[str]:
    """axe's serious and critical findings, with the first element of each.

    Args:
        rules: to check; none: all.
    """
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    else:
        # for voice control: the visible text is part of the name
        options["rules"] = {"label-content-name-mismatch": {"enabled": True}}
    results: dict[str, Any] = Axe().run(page, options=options).response
    grave = [item for item in results["violations"] if item["impact"] in {"serious", "critical"}]
    return [
        f"{item['id']}: {node['html'][:200]} {node['failureSummary'][:300]}" for item in grave for node in item["nodes"]
    ]


# Colours take some time from one theme to the other.
FADED = "!document.getAnimations().some((one) => one instanceof CSSTransition && one.playState === 'running')"


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_in_either_theme(open_page: Open, full: None, path: str) -> None:
    page = open_page(path, locale="en", expected="404" if path.endswith("999") else "")
    expect(page.locator(PAGES[path]).first).to_be_visible()
    expect(page.locator("main .skeleton:visible")).to_have_count(0)
    if path in NOT_OURS:
        return
    assert grave(page) == []
    page.evaluate("window.setTheme('dark')")
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    wait_until(page, FADED)
    assert grave(page, *OF_COLOURS) == [], "nothing but colours is another"
    page.set_viewport_size(PHONE)
    wait_until(page, FADED)
    assert grave(page) == []


def test_dialogs_and_menus_are_accessible(open_page: Open, full: None) -> None:
    page = open_page("/compare?ids=1,2", locale="en")
    page.get_by_role("button", name="Add runs").click()
    expect(page.locator("dialog .picker-row")).to_have_count(12)
    assert grave(page) == []
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_contain_text("Search on this page")
    assert grave(page) == []


@pytest.mark.parametrize("path", [path for path in PAGES if path not in NOT_OURS and not path.endswith("999")])
def test_what_the_head_asks_for_is_used(open_page: Open, full: None, path: str) -> None:
    """The page's script uses the responses under the same address; otherwise they would be requested twice."""
    page = open_page("/tests", locale="en")
    page.add_init_script(RECORD)
    page.goto(page.url.replace("/tests", path))
    heads = page.locator("link[rel=preload][as=fetch]").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href'))"
    )
    assert heads or "?" in path or path in {"/compare", "/help"}
    for address in heads:
        wait_until(page, f"window.asked.includes({address!r})")


def test_what_a_page_loads_stays_small(open_page: Open, full: None) -> None:
    for path in ("/trainings/1", "/compare?ids=1,2"):
        page = open_page(path, locale="pt-BR")
        sizes: dict[str, int] = {}

        def note(answer: Response, sizes: dict[str, int] = sizes) -> None:
            if answer.request.resource_type in {"script", "stylesheet"}:
                assert "immutable" in answer.headers["cache-control"], answer.url
                packed = answer.headers.get("content-encoding") == "gzip"
                length = answer.headers.get("content-length", "0")
                sizes[answer.url] = int(length) if packed else len(gzip.compress(answer.body()))

        page.on("response", note)
        page.reload()
        expect(page.locator("[data-charts] canvas").first).to_be_visible()
        assert len(sizes) > 20
        assert sum(sizes.values()) / 1000 < LIMITS["kB"]
