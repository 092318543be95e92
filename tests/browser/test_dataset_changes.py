"""The dialogs that change an import's decisions, without another upload; and the page's texts when a change
is refused.
"""

import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from scripts.local_server import Server
from tests.browser.conftest import Open, shoot
from tests.browser.test_datasets import revision, settled, wait_until_ready
from tests.data import image_bytes, zip_bytes

pytestmark = pytest.mark.browser

SLOW_MS = 180_000  # a child process starts, on a busy machine
BOX = "{kind} 0.5 0.5 0.4 0.4\n"
OUTLINE = "{kind} 0.2 0.2 0.8 0.2 0.9 0.6 0.5 0.9\n"
XML = (
    "<annotation><size><width>64</width><height>48</height></size><object><name>cell</name><bndbox><xmin>10</xmin>"
    "<ymin>10</ymin><xmax>40</xmax><ymax>40</ymax></bndbox></object></annotation>"
)
Files = dict[str, bytes | str]


def dataset(prefix: str = "", names: str = "[cat, dog]", rows: str = BOX, count: int = 6) -> Files:
    """Images and labels without a split."""
    files: Files = {f"{prefix}data.yaml": f"names: {names}\n"}
    for number in range(count):
        spot = random.Random(f"{prefix}{number}").randrange(30)
        files[f"{prefix}images/{number}.jpg"] = image_bytes(box=(spot, spot // 2, spot + 20, spot + 12))
        files[f"{prefix}labels/{number}.txt"] = rows.format(kind=number % 2)
    return files


def upload(site: Server, files: Mapping[str, bytes | str], **values: str) -> int:
    answer = site.post("/api/datasets", data={"name": "set"} | values, files={"file": ("set.zip", zip_bytes(files))})
    assert answer.status_code == 201, answer.text
    dataset_id = int(answer.json()["dataset_id"])
    wait_until_ready(site, dataset_id)
    return dataset_id


def decided(page: Page) -> Locator:
    return page.locator("[data-decisions]")


def choose(page: Page, choice: str) -> None:
    """Choose in the open dialog, and have the revision created."""
    page.locator("dialog.dialog label.choice", has_text=choice).click()
    page.get_by_role("button", name="Create version").click()


def from_menu(page: Page, item: str) -> None:
    page.locator("[data-change-tools]").get_by_role("button", name="Change").click()
    page.locator("[data-change-tools]").get_by_role("button", name=item, exact=True).click()


def test_another_folder_then_all_then_one(open_page: Open, site: Server) -> None:
    files = dataset("north/") | dataset("south/", "[dog, fox]", count=4)
    page = settled(open_page(f"/datasets/{upload(site, files)}", locale="en"))
    expect(decided(page)).to_contain_text("Dataset used: “north”. Not used: south")
    decided(page).get_by_role("button", name="Another folder").click()
    dialog = page.locator("dialog.dialog")
    expect(dialog.get_by_label("north")).to_be_checked()
    page.get_by_role("button", name="Create version").click()
    expect(dialog.get_by_role("alert")).to_have_text("No changes yet.")
    shoot(page, "change-root")
    choose(page, "south")
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    expect(page.locator("[data-revision='2']")).to_contain_text("Folder “south”")
    expect(page.locator("[data-classes]")).to_contain_text("fox")
    decided(page).get_by_role("button", name="Another folder").click()
    choose(page, "All of them as one")
    expect(revision(page)).to_have_text("3", timeout=SLOW_MS)
    expect(page.locator("[data-summary]")).to_contain_text("10 of 10")
    expect(page.locator("[data-classes] tbody tr")).to_have_count(3)
    decided(page).get_by_role("button", name="Merge or keep separate").click()
    expect(dialog.get_by_label("Merge all datasets")).to_be_checked()
    choose(page, "Use one dataset")
    expect(revision(page)).to_have_text("4", timeout=SLOW_MS)
    expect(page.locator("[data-summary]")).to_contain_text("4 of 4")


def test_another_format_in_portuguese(open_page: Open, site: Server) -> None:
    files = dataset() | {f"Annotations/{number}.xml": XML for number in range(6)}
    page = settled(open_page(f"/datasets/{upload(site, files)}", width=390, theme="dark"))
    expect(decided(page)).to_contain_text("Formato usado: YOLO. Não usados: Pascal VOC")
    decided(page).get_by_role("button", name="Outro formato").click()
    dialog = page.locator("dialog.dialog")
    expect(dialog.get_by_label("YOLO")).to_be_checked()
    shoot(page, "change-format-dark-390")
    dialog.get_by_label("Pascal VOC").check()
    dialog.get_by_role("button", name="Criar versão").click()
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    expect(page.locator("[data-figures]")).to_contain_text("de Pascal VOC")
    expect(page.locator("[data-revision='2']")).to_contain_text("Formato: Pascal VOC")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_another_task_and_one_that_does_not_fit(open_page: Open, site: Server) -> None:
    page = settled(open_page(f"/datasets/{upload(site, dataset(rows=OUTLINE + OUTLINE))}", locale="en"))
    expect(decided(page)).to_contain_text(
        "the task “Oriented bounding boxes”. If that is wrong, choose another task here."
    )
    decided(page).get_by_role("button", name="Another task").click()
    choose(page, "Segmentation")
    expect(page.locator("[data-figures]")).to_contain_text("Segmentation", timeout=SLOW_MS)
    expect(decided(page)).to_contain_text("The task is “Segmentation”, as you chose.")
    from_menu(page, "Task of these labels")
    expect(page.locator("dialog.dialog label.choice")).to_have_count(3)  # the tasks that these labels allow
    choose(page, "Detection")
    expect(revision(page)).to_have_text("3", timeout=SLOW_MS)

    page = settled(open_page(f"/datasets/{upload(site, dataset())}", locale="en"))
    from_menu(page, "Task of these labels")
    corners = page.get_by_label("Convert boxes to four-corner polygons")
    expect(corners).to_be_hidden()
    page.locator("dialog.dialog label.choice", has_text="Segmentation").click()
    corners.uncheck()
    choose(page, "Segmentation")
    expect(page.locator(".toast-note", has_text="can't be used for training")).to_contain_text(
        "previous version stays in use", timeout=SLOW_MS
    )
    refused = page.locator("[data-revision='2']")
    expect(refused).to_contain_text("“Segmentation” needs polygons")
    expect(refused.get_by_role("button")).to_have_count(0)
    expect(revision(page)).to_have_text("1")


def test_a_change_and_fixes_in_one_revision(open_page: Open, site: Server) -> None:
    """Boxes become the outlines that the other task needs, and the fixable findings are fixed, in one step."""
    files = dataset() | {"labels/0.txt": "0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.4 0.4\n"}
    page = settled(open_page(f"/datasets/{upload(site, files)}", locale="en"))
    from_menu(page, "Task of these labels")
    dialog = page.locator("dialog.dialog")
    dialog.get_by_label("Segmentation").check()
    expect(dialog.get_by_label("Convert boxes to four-corner polygons")).to_be_checked()
    dialog.get_by_label(re.compile("Also fix the")).check()
    shoot(page, "change-task-and-fix")
    page.get_by_role("button", name="Create version").click()
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    expect(page.locator("[data-figures]")).to_contain_text("Segmentation")
    expect(page.locator("[data-summary]")).to_contain_text("5 of 5")  # two of the images are identical
    entry = page.locator("[data-revision='2']")
    expect(entry).to_contain_text("Task: Segmentation; all fixable issues fixed")
    page.get_by_role("tab", name="Issues").click()
    expect(page.locator("[data-fixed]")).to_contain_text("Duplicate rows")


def test_split_anew_and_as_it_came(open_page: Open, site: Server) -> None:
    page = settled(open_page(f"/datasets/{upload(site, dataset(count=10))}", locale="en"))
    decided(page).get_by_role("button", name="New split").click()
    dialog = page.locator("dialog.dialog")
    for name, share in (("training", "0"), ("validation", "40"), ("test", "0")):
        dialog.get_by_label(name, exact=True).fill(share)
    dialog.get_by_role("button", name="Create version").click()
    expect(dialog.get_by_role("status")).to_have_text("The training and validation sets can't be empty.")
    dialog.get_by_label("training", exact=True).fill("60")
    expect(dialog.get_by_role("status")).to_have_text("training: 6 (60%) · validation: 4 (40%) · test: 0 (0%)")
    shoot(page, "split-promise")
    dialog.get_by_role("button", name="Create version").click()
    expect(page.locator("[data-revision='2']")).to_contain_text("training 6 · validation 4", timeout=SLOW_MS)
    expect(decided(page)).to_contain_text("New split by images")
    from_menu(page, "New split")
    dialog.locator("label.choice", has_text="As uploaded").click()
    expect(dialog.get_by_role("status")).to_have_text("training: 8 (80%) · validation: 2 (20%) · test: 0 (0%)")
    choose(page, "As uploaded (original split)")
    expect(page.locator("[data-revision='3']")).to_contain_text("training 8 · validation 2", timeout=SLOW_MS)
    expect(page.locator("[data-revision='3']")).to_contain_text("Original split")


@pytest.mark.parametrize(("shares", "seed"), [((60, 40, 0), "7"), ((50, 20, 30), "3")])
def test_what_the_split_dialog_promises_is_what_it_does(
    open_page: Open, site: Server, shares: tuple[int, int, int], seed: str
) -> None:
    """Image by image, with a class of one image, and two identical images that stay together."""
    files = dataset(names="[cat, dog, owl]", count=11)
    files["labels/10.txt"] = BOX.format(kind=2)
    files["images/9.jpg"] = files["images/8.jpg"]
    dataset_id = upload(site, files)
    page = settled(open_page(f"/datasets/{dataset_id}", locale="en"))
    from_menu(page, "New split")
    dialog = page.locator("dialog.dialog")
    for name, share in zip(("training", "validation", "test"), shares, strict=True):
        dialog.get_by_label(name, exact=True).fill(str(share))
    status = dialog.get_by_role("status")

    def is_of_all(answer: Any) -> bool:
        """Excludes responses for partly filled fields, which arrive late on a busy machine."""
        return "split-preview" in answer.url and answer.request.post_data_json["split"]["seed"] == int(seed)

    with page.expect_response(is_of_all) as response:
        dialog.get_by_label("Seed").fill(seed)
    expect(status).to_contain_text(f"training: {response.value.json()['splits']['train']} ")
    promised = status.inner_text()
    page.get_by_role("button", name="Create version").click()
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    got = site.get(f"/api/datasets/{dataset_id}").json()
    counts = [int(count) for count in re.findall(r": (\d+) \(", promised)]
    assert counts == [got["train_images"], got["val_images"], got["test_images"]]
    classes = site.get(f"/api/datasets/{dataset_id}/statistics").json()["classes"]
    without = {item["name"] for item in classes if not item["images"]["val"]}
    named = re.search(r"No validation images for: (.+?)\. These", promised)
    assert set(named[1].split(", ") if named else []) == without


def test_requested_names_are_listed_as_such_and_merged(open_page: Open, site: Server) -> None:
    files = {name: content for name, content in dataset().items() if name != "data.yaml"}
    dataset_id = upload(site, files, names='["gato", "gata"]')
    page = settled(open_page(f"/datasets/{dataset_id}", locale="en"))
    expect(decided(page)).to_contain_text("The dataset has 2 classes, named as you entered.")
    expect(decided(page)).not_to_contain_text("The classes have no names")
    page.locator("[data-class-tools]").get_by_role("button", name="Rename or merge").click()
    page.get_by_label("New name for gata").fill("gato")
    expect(page.locator("dialog.dialog").get_by_role("status")).to_have_text("Merged into one class: gato")
    page.get_by_role("button", name="Create version").click()
    expect(page.locator("[data-classes] tbody tr")).to_have_count(1, timeout=SLOW_MS)
    expect(decided(page)).to_contain_text("Before: 2. Now: 1.")


def test_a_refused_export_names_the_reason(open_page: Open, site: Server) -> None:
    """Not as a failed download in the browser."""
    dataset_id = upload(site, dataset())
    page = settled(open_page(f"/datasets/{dataset_id}", locale="en", expected="404"))
    menu = page.locator("[data-downloads]")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as download:
        menu.get_by_role("link", name=re.compile("COCO")).click()
    assert download.value.suggested_filename == "set-r1-coco.zip"
    assert site.delete(f"/api/datasets/{dataset_id}").status_code == 200
    page.get_by_role("button", name="Download", exact=True).click()
    menu.get_by_role("link", name=re.compile("Pascal VOC")).click()
    expect(page.locator(".toast-note", has_text="Pascal VOC can't be downloaded.")).to_contain_text("doesn't exist")


def test_several_files_at_once_and_bare_folders_of_classes(open_page: Open, site: Server) -> None:
    """Numbered folders may be parts of one video: they are classes only if the form says so; the entered
    values stay.
    """
    page = open_page("/datasets?search=bare", locale="en", expected="422")
    folders = {f"part {part}/{side}.jpg": image_bytes(box=(side, 2, 40, 30)) for part in "12" for side in range(4)}
    one: FilePayload = {"name": "bare.zip", "mimeType": "application/zip", "buffer": zip_bytes(folders)}
    second: FilePayload = {"name": "bare two.zip", "mimeType": "application/zip", "buffer": zip_bytes(dataset())}
    page.locator("[data-files]").set_input_files([one, second])
    form = page.locator("section.upload").first
    form.get_by_label("Name").fill("bare folders")
    page.get_by_role("button", name="Upload all 2 files").click()
    alert = form.get_by_role("alert")
    expect(alert).to_contain_text("choose the task “Classification”", timeout=SLOW_MS)
    expect(page.get_by_role("button", name="Upload all 2 files")).to_have_count(0)
    alert.get_by_role("button", name="Edit and try again").click()
    expect(form.get_by_label("Name")).to_have_value("bare folders")
    form.get_by_label("Task").select_option("classify")
    form.get_by_role("button", name="Upload").click()
    expect(form).to_contain_text("Ready for training.", timeout=SLOW_MS)
    expect(page.locator("section.upload").nth(1)).to_contain_text("Ready for training.", timeout=SLOW_MS)
    form.get_by_role("button", name="Close").click()
    expect(page.locator("section.upload")).to_have_count(1)
    expect(page.locator(".dataset-card", has_text="bare folders")).to_contain_text("Classification")
