"""Dataset pages on the real server: upload, decisions, findings, fix, images, viewer, in both languages."""

import io
import random
import re
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from scripts.local_server import Server
from tests.browser.conftest import Open, shoot, wait_until
from tests.data import yolo_zip, zip_bytes

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
IMAGES = 70  # more than a page of the grid
MISSING = 25  # images without a label file: more than a page of findings
SLOW_MS = 180_000  # a child process starts, on a busy machine


def picture(seed: int) -> bytes:
    """An image that differs from all others."""
    colours = random.Random(seed)
    small = Image.frombytes("RGB", (8, 6), colours.randbytes(8 * 6 * 3))
    buffer = io.BytesIO()
    small.resize((128, 96), Image.Resampling.NEAREST).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def damaged_zip() -> bytes:
    """Neither names nor a split, and typical errors: rows without area, values out of range, broken files."""
    files: dict[str, bytes | str] = {}
    for number in range(IMAGES):
        files[f"images/{number:03}.jpg"] = picture(number)
        if number >= MISSING:
            rows = [f"{number % 3} 0.3 0.3 0.2 0.2", f"{(number + 1) % 3} 0.7 0.6 0.3 0.4"]
            if number in {30, 40}:
                rows.append("1 0.5 0.5 0 0.2")
            if number == 50:
                rows.append("0 1.04 0.5 0.2 0.2")
            files[f"labels/{number:03}.txt"] = "\n".join(rows) + "\n"
    files["images/broken.jpg"] = picture(1000)[:300]
    files["labels/broken.txt"] = "0 0.5 0.5 0.2 0.2\n"
    return zip_bytes(files)


def wait_until_ready(site: Server, dataset: int, revision: int = 1) -> None:
    """Wait until the revision is in use."""
    end = time.monotonic() + SLOW_MS / 1000
    while site.get(f"/api/datasets/{dataset}").json()["revision"] != revision:
        assert time.monotonic() < end, site.log()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def damaged(site: Server) -> int:
    """The damaged dataset, ready, with hostile names; its id."""
    files = {"file": ("damaged.zip", damaged_zip())}
    values = {"name": f"Shelf {EVIL} " + "long " * 12, "names": f'["cat {EVIL}", "dog", "{"very_long_name_" * 12}"]'}
    answer = site.post("/api/datasets", data=values, files=files)
    assert answer.status_code == 201, answer.text
    dataset = int(answer.json()["dataset_id"])
    wait_until_ready(site, dataset)
    return dataset


def settled(page: Page) -> Page:
    """The page has loaded its contents."""
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")
    expect(page.locator("main .skeleton:visible")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    return page


def revision(page: Page) -> Locator:
    return page.locator(".revision.is-current .revision-number")


def focused(page: Page, name: str) -> str | None:
    """A data attribute of the focused element."""
    return page.evaluate(f"document.activeElement.dataset.{name} ?? null")


def test_from_an_upload_to_a_fix(open_page: Open) -> None:
    page = open_page("/datasets", locale="en", expected="422")
    file: FilePayload = {"name": "shelf.zip", "mimeType": "application/zip", "buffer": damaged_zip()}
    page.locator("[data-files]").set_input_files(file)
    page.locator("section.upload").get_by_role("button", name="Upload").click()
    card = page.locator(".dataset-card", has=page.get_by_role("link", name="shelf", exact=True))
    expect(card).to_contain_text("Ready", timeout=SLOW_MS)
    expect(card.locator(".samples img")).to_have_count(3)
    card.get_by_role("link", name="shelf").click()
    settled(page)

    expect(page.locator("[data-summary]")).to_contain_text(f"{IMAGES - 1} of {IMAGES + 1}")
    expect(page.locator("[data-summary]")).to_contain_text("Corrupt images")
    expect(page.locator("[data-decisions]")).to_contain_text("class_0")
    page.locator("[data-decisions]").get_by_role("button", name="Name the classes").click()
    names = page.get_by_role("textbox", name="Class names")
    names.fill("cat\ndog\ncat")
    page.get_by_role("button", name="Create version").click()
    expect(page.locator("dialog .field-error:visible")).to_contain_text("Two names are the same")
    names.fill("cat\ndog\n" + "x" * 300)
    page.get_by_role("button", name="Create version").click()
    expect(page.locator("dialog .field-error:visible")).to_contain_text("between 1 and 200")
    names.fill("cat\ndog\nbird")
    page.get_by_role("button", name="Create version").click()
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    expect(page.locator("[data-classes]")).to_contain_text("bird")

    page.get_by_role("tab", name="Issues").click()
    group = page.locator("[data-code=degenerate_box]")
    group.locator(".finding-open").click()
    expect(group).to_contain_text("The row is removed")
    expect(group.locator("tbody tr")).to_have_count(2)
    expect(group.locator("tbody tr").first).to_contain_text("labels/")
    page.get_by_role("button", name=re.compile("Fix 4 issues")).click()
    question = page.locator("dialog.dialog")
    expect(question).to_contain_text("Fix 4 issues?")
    expect(question).to_contain_text("The image and its labels are removed from the new version.")
    expect(question).to_contain_text(re.compile(r"The fixes for \d types of issues"))
    shoot(page, "dataset-fix")
    page.set_viewport_size({"width": 390, "height": 400})
    cut = question.locator(".fix-list").evaluate("list => list.scrollHeight - list.clientHeight")
    assert cut > 0
    shadow = "list => getComputedStyle(list).backgroundAttachment"  # the covers scroll with the list, the shadows stay
    assert question.locator(".fix-list").evaluate(shadow) == "local, local, scroll, scroll"
    for button in question.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 16, "inside the dialog"
        assert box["x"] + box["width"] <= 390 - 16
    page.set_viewport_size({"width": 1280, "height": 900})
    question.get_by_role("button", name="Fix and create version").click()
    status = page.locator(".fixed")
    expect(status).to_contain_text("Fixed. Version 3 is now the current one.", timeout=SLOW_MS)
    expect(status).to_contain_text("Objects without area: 2 label rows")
    expect(status).to_contain_text("2 → 0")
    expect(page.locator("[data-code=degenerate_box]")).to_have_count(0)

    page.get_by_role("tab", name="Overview").click()
    expect(page.locator("[data-summary]")).to_contain_text(f"{IMAGES} of {IMAGES}")
    first = page.locator("[data-revision='1']")
    first.get_by_role("button", name="Use version").click()
    page.locator("dialog").get_by_role("button", name="Use version").click()
    expect(revision(page)).to_have_text("1")
    expect(page.locator("[data-classes]")).to_contain_text("class_0")


def test_images_by_filter_and_keyboard(open_page: Open, damaged: int) -> None:
    page = settled(open_page(f"/datasets/{damaged}", locale="en"))
    page.get_by_role("tab", name="Images").click()
    expect(page.locator(".tile")).to_have_count(60)
    total = page.locator("[data-image-total]")
    expect(total).to_have_text(f"{IMAGES + 1} images")
    page.get_by_label("Class", exact=True).select_option("1")
    page.get_by_label("Minimum number of objects").fill("3")
    expect(total).to_have_text(f"2 images of {IMAGES + 1}")
    assert "class=1" in page.url
    assert "min_objects=3" in page.url
    page.reload()
    expect(total).to_have_text(f"2 images of {IMAGES + 1}")
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Issue", exact=True).select_option("label_missing")
    expect(total).to_have_text(f"{MISSING} images of {IMAGES + 1}")
    page.go_back()
    expect(total).to_have_text(f"2 images of {IMAGES + 1}")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tile")).to_have_count(60)
    page.keyboard.press("/")
    page.keyboard.type("broken")
    expect(total).to_have_text(f"1 image of {IMAGES + 1}")
    expect(page.locator(".tile-broken")).to_be_visible()
    page.locator(".tile").click()
    broken = page.locator("dialog.viewer")
    expect(broken.locator(".viewer-findings")).to_contain_text("can't be decoded")
    expect(broken.locator(".viewer-wait")).to_have_text("This file isn't an image that can be displayed.")
    page.keyboard.press("Escape")
    expect(broken).to_be_hidden()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tile")).to_have_count(60)

    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    viewer = page.locator("dialog.viewer")
    expect(viewer.locator(".viewer-place")).to_have_text(f"3 of {IMAGES + 1}")
    opened = re.search(r"image=(\d+)", page.url)
    assert opened is not None
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".viewer-place")).to_have_text(f"4 of {IMAGES + 1}")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    assert focused(page, "image") == page.locator(".tile").nth(3).get_attribute("data-image")
    assert "image=" not in page.url


def keys(page: Page, key: str, times: int) -> None:
    """A key pressed faster than anything can be drawn or loaded."""
    press = "new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})"
    viewer = "document.querySelector('dialog.viewer')"
    page.evaluate(
        f"([key, times]) => {{ for (let n = 0; n < times; n += 1) {viewer}.dispatchEvent({press}); }}", [key, times]
    )


def test_the_viewer_zooms_and_goes_over_pages(open_page: Open, damaged: int) -> None:
    page = settled(open_page(f"/datasets/{damaged}?tab=images&class=1", locale="en"))
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tile")).to_have_count(60)
    page.locator(".tile").last.click()
    viewer = page.locator("dialog.viewer")
    position = viewer.locator(".viewer-place")
    expect(position).to_have_text(f"60 of {IMAGES + 1}")
    page.keyboard.press("ArrowRight")
    expect(position).to_have_text(f"61 of {IMAGES + 1}")
    expect(page).to_have_url(re.compile("page=2"))
    keys(page, "ArrowLeft", 59)
    expect(position).to_have_text(f"2 of {IMAGES + 1}")
    expect(page).not_to_have_url(re.compile("page="))
    page.reload()
    expect(position).to_have_text(f"2 of {IMAGES + 1}")
    keys(page, "ArrowRight", 59)  # the second page is not loaded yet: no key is lost meanwhile
    expect(position).to_have_text(f"61 of {IMAGES + 1}")
    expect(page).to_have_url(re.compile("page=2"))
    page.keyboard.press("+")
    expect(viewer.locator(".viewer-zoom")).to_have_text("130%")
    page.keyboard.press("0")
    expect(viewer.locator(".viewer-zoom")).to_have_text("100%")
    marks = viewer.locator("svg.marks")
    page.keyboard.press("m")
    expect(marks).to_be_hidden()
    page.keyboard.press("m")
    page.go_back()
    expect(viewer).to_be_hidden()

    page.goto(page.url.split("?")[0] + "?tab=findings&code=degenerate_box")
    page.locator("[data-look]").first.click()
    expect(position).to_have_text("1 of 2")
    finding = viewer.locator(".viewer-findings li", has_text="no area")
    finding.hover()
    expect(viewer.locator(".mark.is-marked")).to_have_count(1)
    looked = re.search(r"image=(\d+)", page.url)
    assert looked is not None
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    assert focused(page, "look") == looked[1]


def test_tabs_fit_in_both_languages(open_page: Open, damaged: int) -> None:
    words = {"overview": "Imagens utilizáveis", "images": "imagens", "findings": "O que o YOLO faz"}
    addresses = {
        "overview": "",
        "images": "?tab=images",
        "findings": "?tab=findings&code=label_missing",
        "trainings": "?tab=trainings",
    }
    for name, query in addresses.items():
        for width, theme, locale in ((1280, "light", "en"), (360, "dark", "pt-BR")):
            page = settled(open_page(f"/datasets/{damaged}{query}", locale=locale, width=width, theme=theme))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways at {width}"
            assert page.locator("img[src=x]").count() == 0
            if locale == "pt-BR" and name in words:
                expect(page.locator(f"[data-panel={name}]")).to_contain_text(words[name])
            shoot(page, f"dataset-{name}-{theme}-{width}")
            page.close()


def test_charts_are_drawn_and_downloaded(open_page: Open, damaged: int) -> None:
    page = settled(open_page(f"/datasets/{damaged}", locale="en"))
    chart = "Chart.getChart(document.querySelector('[data-class-chart] canvas'))"
    wait_until(page, f"{chart}.data.datasets.length === 3")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV: Objects per class and set").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == '"class","train","val","test"'
    assert len(lines) == 4
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as PNG: Object positions").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_failing_part_shows_its_own_error(open_page: Open, damaged: int) -> None:
    page = open_page("/datasets", locale="en", expected="503")
    answers = {"fail": True}

    def answer(route: Route) -> None:
        body = '{"title": "Temporarily unavailable", "detail": "The database is busy.", "errors": []}'
        if answers["fail"]:
            route.fulfill(status=503, content_type="application/problem+json", body=body)
        else:
            route.continue_()

    page.route(re.compile(rf"/api/datasets/{damaged}/(statistics|images|findings)(\?|$)"), answer)
    page.goto(page.url + f"/{damaged}")
    expect(page.locator("[data-class-chart] [role=alert]")).to_contain_text("The database is busy.")
    expect(page.locator("[data-summary]")).to_contain_text("of")
    page.get_by_role("tab", name="Issues").click()
    expect(page.locator("[data-findings] [role=alert]")).to_contain_text("The database is busy.")
    page.get_by_role("tab", name="Images").click()
    alert = page.locator("[data-grid-place] [role=alert]")
    expect(alert).to_contain_text("The database is busy.")
    answers["fail"] = False
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(".tile")).to_have_count(60)


def test_deleting_asks_for_what_goes(open_page: Open, site: Server) -> None:
    files = {"file": ("shelf.zip", damaged_zip())}
    dataset = site.post("/api/datasets", data={"name": "To be deleted"}, files=files).json()["dataset_id"]
    wait_until_ready(site, dataset)
    page = settled(open_page("/datasets?search=To+be", locale="en"))
    page.get_by_role("button", name="Delete To be deleted").click()
    question = page.locator("dialog")
    expect(question).to_contain_text(f"{IMAGES + 1} images and their labels")
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".dataset-card")).to_have_count(0)
    assert site.get(f"/api/datasets/{dataset}").status_code == 404


def test_a_folder_of_the_server_is_imported(open_page: Open, site: Server) -> None:
    folder = site.folder / "import" / "shelves" / "north"
    with zipfile.ZipFile(io.BytesIO(yolo_zip(train=6, val=2))) as archive:
        archive.extractall(folder)
    page = settled(open_page("/datasets", locale="en"))
    page.get_by_role("button", name="Import from server").click()
    dialog = page.locator("dialog")
    dialog.get_by_role("button", name="shelves").click()
    dialog.get_by_role("button", name="north").click()
    expect(dialog.locator(".folder-path")).to_contain_text("shelves/north")
    expect(dialog.get_by_label("Name")).to_have_value("north")
    dialog.get_by_role("button", name="Import folder").click()
    page.wait_for_url(re.compile(r"/datasets/\d+$"))
    expect(page.locator("[data-summary]")).to_contain_text("8 of 8", timeout=SLOW_MS)
    expect(page.locator("[data-revisions]")).to_contain_text("As imported")


def test_bccd_in_portuguese(open_page: Open, site: Server, bccd_yolo: Path) -> None:
    with open(bccd_yolo, "rb") as file:
        dataset = site.post("/api/datasets", data={"name": "BCCD"}, files={"file": file}).json()["dataset_id"]
    wait_until_ready(site, dataset)
    page = settled(open_page(f"/datasets/{dataset}"))
    expect(page.locator("[data-summary]")).to_contain_text("364 de 364")
    expect(page.locator("[data-classes] tbody tr")).to_have_count(3)
    page.get_by_role("tab", name="Imagens").click()
    expect(page.locator(".tile")).to_have_count(60)
    page.get_by_label("Classe", exact=True).select_option("0")
    expect(page.locator("[data-image-total]")).to_have_text("201 imagens de 364")
    page.locator(".tile").first.click()
    expect(page.locator("dialog.viewer .viewer-objects li").first).to_be_visible()
    shoot(page, "dataset-viewer")
