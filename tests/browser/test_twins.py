"""A leak with both of its images, a link to an issue that is scrolled to, and model cards that do not overlap."""

import pytest
from playwright.sync_api import Page, expect

from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, joined
from tests.browser.test_datasets import wait_until_ready
from tests.browser.test_every_page import grave
from tests.data import image_bytes, zip_bytes

pytestmark = pytest.mark.browser

NAMES = "label-content-name-mismatch"  # for voice control: the visible text is part of the name
OVERFLOWS = """() => [...document.querySelectorAll('.model')].flatMap((card) => {
  const radio = card.querySelector('input').getBoundingClientRect();
  const name = document.createRange();
  name.selectNodeContents(card.querySelector('.model-name'));
  const text = name.getBoundingClientRect();
  const wide = [...card.querySelectorAll('span')].filter((part) => part.scrollWidth > part.clientWidth + 1);
  const under = text.right > radio.left && text.bottom > radio.top;
  return [...wide.map((part) => part.className), ...(under ? ['radio'] : [])];
})"""


@pytest.fixture(scope="module")
def leaking(site: Server) -> int:
    """A validation image that is also in the training split, and enough other issues to fill a screen."""
    files: dict[str, bytes | str] = {"data.yaml": f"names: [{', '.join(f'class{n}' for n in range(12))}]\n"}
    for split, count in (("train", 14), ("val", 4)):
        for number in range(count):
            box = (4 + number, 5 + 2 * (split == "val"), 30 + number, 40)
            files[f"images/{split}/{split}{number}.jpg"] = image_bytes(box=box)
            files[f"labels/{split}/{split}{number}.txt"] = f"{number % 2} 0.5 0.5 0.4 0.4\n"
    files["images/val/copy.jpg"], files["labels/val/copy.txt"] = files["images/train/train0.jpg"], "0 0.5 0.5 0.4 0.4\n"
    files["labels/train/train5.txt"] = "0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.4 0.4\n0 0.5 1.5 0.4 0.4\n99 0.5 0.5 0.1 0.1\n"
    files["images/train/empty.jpg"] = image_bytes(box=(1, 1, 9, 9))
    answer = site.post("/api/datasets", data={"name": "twins"}, files={"file": ("twins.zip", zip_bytes(files))})
    dataset_id = int(answer.json()["dataset_id"])
    wait_until_ready(site, dataset_id)
    return dataset_id


@pytest.mark.parametrize("width", [1280, 360])
def test_a_leak_shows_both_images(open_page: Open, site: Server, leaking: int, width: int) -> None:
    page = open_page(f"/datasets/{leaking}?tab=findings&code=leak_exact", locale="en", width=width)
    row = page.locator("[data-code=leak_exact] tbody tr").first
    row.locator("[data-look]").click()
    viewer = page.locator("dialog.viewer")
    image, twin = viewer.locator(".viewer-sheet > img"), viewer.locator(".viewer-twin img")
    expect(image).to_be_visible()
    expect(twin).to_be_visible()
    assert twin.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 64
    expect(viewer.locator(".viewer-own")).to_contain_text("copy.jpg")
    expect(viewer.locator(".viewer-twin")).to_contain_text("train0.jpg")
    first, second = image.bounding_box(), twin.bounding_box()
    assert first is not None
    assert second is not None
    beside = first["x"] + first["width"] <= second["x"] + 1
    below = first["y"] + first["height"] <= second["y"] + 1
    assert (beside, below)[width == 360], (first, second)
    viewer.locator("[data-tool=close]").click()
    page.goto(f"{site.url}/datasets/{leaking}?tab=images&image=1")
    expect(viewer.locator(".viewer-sheet > img")).to_be_visible()
    expect(viewer.locator(".viewer-twin")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_link_to_an_issue_leads_to_it(open_page: Open, site: Server, leaking: int, width: int) -> None:
    codes = site.get(f"/api/datasets/{leaking}/findings").json()["codes"]
    assert len(codes) > 5, codes
    last = max(codes, key=lambda item: (["error", "warning", "info"].index(item["severity"]), -item["count"]))["code"]
    page = open_page(f"/datasets/{leaking}?tab=findings&code={last}", locale="en", width=width)
    head = page.locator(f"[data-code={last}] .finding-open")
    expect(head).to_be_visible()
    expect(head).to_be_in_viewport()
    expect(page.locator(f"[data-code={last}] .finding-body")).to_be_in_viewport()
    joined(page)
    with page.expect_response(lambda answer: answer.url.endswith(f"/api/datasets/{leaking}")):
        page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ live.rooms.forEach((room) => room.rejoin()); }})")
    page.wait_for_timeout(300)
    expect(head).to_be_in_viewport()  # an unchanged tab does not scroll


def cards(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 800})
    return page.evaluate(OVERFLOWS)


def test_the_cards_of_models_do_not_overlap(open_page: Open, leaking: int) -> None:
    for locale in ("en", "pt-BR"):
        page = open_page(f"/trainings/new?dataset_id={leaking}", locale=locale, width=1366)
        expect(page.locator(".preset").first).to_be_visible()
        assert {width: cards(page, width) for width in (360, 760, 1024, 1280, 1366, 1440, 1920)} == {
            width: [] for width in (360, 760, 1024, 1280, 1366, 1440, 1920)
        }


def test_a_tile_is_called_what_stands_on_it(open_page: Open, leaking: int) -> None:
    page = open_page(f"/datasets/{leaking}?tab=images", locale="en")
    expect(page.get_by_role("button", name="train1.jpg, train, 1 object, 1 issue", exact=True)).to_be_visible()
    assert grave(page, NAMES) == []


def test_landmarks_of_the_form_have_names(open_page: Open, leaking: int) -> None:
    page = open_page(f"/trainings/new?dataset_id={leaking}", locale="en")
    expect(page.get_by_role("complementary", name="Summary")).to_be_visible()
