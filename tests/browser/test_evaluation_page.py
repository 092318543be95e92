"""The page of an evaluation: verdict, matrix, every image with its errors, thresholds; and starting one."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app import create_app
from app.core.outcome_files import CURVES
from app.core.outcomes import ImageResult
from app.database import writing
from app.models import Dataset, Evaluation, Training
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot
from tests.browser.test_every_page import grave
from tests.data import checkpoint_bytes, image_bytes
from tests.services.test_evaluation_comparison import beside, store_matches
from tests.services.test_evaluation_views import BOX, NAMES, PICTURES, add, pictures

pytestmark = pytest.mark.browser

FIGURES = {
    "objects": 4,
    "metrics": {"precision": 0.6, "recall": 0.5, "map50": 0.76, "map95": 0.4},  # fair, as on the run's own page
    "intervals": {"map50": [0.31, 0.72], "map95": [0.2, 0.5]},
    "sizes": {name: {"objects": 2, "correct": 1, "recall": 0.5} for name in ("small", "medium", "large")},
    "best": {"confidence": 0.3, "precision": 0.6, "recall": 0.5, "f1": 0.55},
    "curves": {"x": [0.1, 0.3, 0.9], "precision": [0.4, 0.6, 0.99], "recall": [0.9, 0.5, 0.2]},
    "speed_ms": {"preprocess": 1.0, "inference": 12.5, "postprocess": 2.0},
    "classes": [
        {"name": name, "images": 2, "objects": 2, "precision": 0.5, "recall": 0.5, "map50": ap, "map95": ap / 2}
        | {"best_confidence": 0.4}
        for name, ap in zip(NAMES, (0.9, 0.1, 0.5), strict=True)
    ],
}


LINE = {name: [0.2, 0.6, 0.9] for name in ("precision", "recall", "f1", "pr")}
CURVE = {"x": [0.1, 0.5, 0.9], **LINE, "classes": [{"name": name, **LINE} for name in NAMES]}


@pytest.fixture(scope="module")
def evaluation(site: Server) -> int:
    """A completed one of five images, of a run with weights; also a failed one and a dataset with another class.
    Returns its id.
    """
    app = create_app("cli", site.settings)
    number, folder = add(app, pictures(PICTURES * 3), 0.237)  # between two steps of a coarse slider
    store_matches(folder, PICTURES * 3)
    (folder / CURVES).write_text(json.dumps(CURVE))
    with app.app_context(), writing() as session:
        row = session.get_one(Evaluation, number)
        row.result = (row.result or {}) | FIGURES
        dataset = session.get_one(Dataset, row.dataset_id)
        dataset.test_images, dataset.path = 3, f"datasets/{dataset.id}"
        failed = Evaluation(training_id=row.training_id, split="test", checkpoint="last", img_size=640)
        failed.status, failed.error = "failed", "out_of_memory"
        session.add_all([failed, Dataset(name="Birds", classes=["cat", "<b>bird"], status="valid", test_images=2)])
        training_id, root = row.training_id, Path(app.config["DATASETS_DIR"]) / str(dataset.id)
        other = Training(name="Other run", dataset=dataset, model_version="n", status="completed")
        session.add(other)
        session.flush()
        other_id = other.id
    complete = ImageResult([1], [BOX], [1], [0.9], [BOX], [(0, 0, 0.9)])  # what the first one misses
    beside(app, number, [*PICTURES[:2], complete, *PICTURES[3:]] * 3, other_id)
    for index in range(1, 16):
        path = root / "images" / "val" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes((640, 480), (0, 0, 200, 100)))
    weights = Path(app.config["MODELS_DIR"]) / str(training_id) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(checkpoint_bytes(b"no model"))
    return number


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_verdict_matrix_and_images(open_page: Open, site: Server, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation}", locale="en")
    expect(page.locator(".evaluated-verdict")).to_have_text(
        "The model is usable on this set, with errors. The weakest class is “dog”. The set is small, so the metrics "
        "are uncertain."
    )
    expect(page.locator(".evaluated-figures")).to_contain_text("0.31 to 0.72 (95%)")
    expect(page.locator("[data-sub]")).to_contain_text("Animals")
    expect(page.locator("[data-class-figures] tbody tr").first).to_contain_text("dog")
    expect(page.locator("[data-split=val]")).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-split=val]")).to_contain_text("0.760")
    expect(page.locator("[data-split=test]").get_by_role("button", name="Evaluate")).to_be_visible()
    expect(page.locator("[data-split=train]")).to_contain_text("No images")
    expect(page.locator("[data-split=train]").get_by_role("button")).to_have_count(0)
    expect(page.locator("[data-total]")).to_have_text("15 images")
    expect(page.locator("[data-images] .preview")).to_have_count(12)
    assert len(list(site.folder.rglob("view-*.sqlite"))) == 2, "what is there of each serves: nothing is matched anew"
    shoot(page, "evaluation")

    page.get_by_role("button", name="3 × actual: cat, predicted: dog").click()
    expect(page.locator("[data-total]")).to_have_text("3 images")
    expect(page.locator("[data-cell]")).to_contain_text("Actual: cat, predicted: dog")
    page.locator("[data-images] .preview").first.click()
    title = page.locator("#lightbox-title")
    expect(title).to_have_text("images/val/2.jpg")
    expect(page.locator(".lightbox-body li")).to_have_text("Wrong class · cat as dog · 80%")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("images/val/7.jpg")
    shoot(page, "evaluation-image")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)

    page.locator("[data-cell] button").click()
    expect(page.locator("[data-total]")).to_have_text("15 images")
    page.locator("[data-images] .preview").last.click()
    heading = title.inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".lightbox-head")).to_contain_text("13 of 15")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text(heading)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="False negative 3").click()
    expect(page.locator("[data-total]")).to_have_text("3 images")
    page.locator("[name=class]").select_option("cat")
    expect(page.locator("[data-images]")).to_contain_text("No image matches these filters.")


def test_curves_and_another_evaluation_beside_it(open_page: Open, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation}", locale="en")
    expect(page.locator("[data-curve-plots] .chart")).to_have_count(3)
    expect(page.locator("[data-curve-plots]")).to_contain_text("F1 of each class")
    page.locator("[data-other]").select_option(index=1)
    section = page.locator("#compare")
    expect(section.locator(".evaluated-verdict")).to_contain_text("15 images are too few to tell the two apart")
    expect(section.locator("dl")).to_contain_text("In the other only6")
    expect(section.locator(".preview")).to_have_count(6)
    shoot(page, "evaluation-compared")
    section.locator(".preview").first.click()
    expect(page.locator(".evaluated-pair canvas")).to_have_count(2)
    expect(page.locator(".lightbox-body")).to_contain_text("errors: 2, in the other 0")
    shoot(page, "evaluation-pair")


def test_suspected_label_errors(open_page: Open, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation}", locale="en")
    section = page.locator("#label-errors")
    expect(section.locator("[data-suspect-total]")).to_have_text("3 suspected errors")
    expect(section.locator("[data-suspects] .preview")).to_have_count(3)
    expect(section.locator("[data-suspects] .preview").first).to_contain_text("annotated as cat, detected as dog")
    section.scroll_into_view_if_needed()
    shoot(page, "label-errors")
    section.get_by_role("button", name="Missing label 0").click()
    expect(section).to_contain_text("No label looks like an error.")
    section.get_by_role("button", name="Wrong class 3").click()
    section.locator("[data-suspects] .preview").first.click()
    expect(page.locator("#lightbox-title")).to_have_text("images/val/2.jpg")
    link = page.locator(".lightbox-body").get_by_role("link", name="Open the image in the dataset")
    expect(link).to_have_attribute("href", re.compile(r"/datasets/\d+\?tab=images&search=2\.jpg"))


def test_other_thresholds_and_the_test_page(open_page: Open, site: Server, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation}", locale="en")
    expect(page.get_by_role("button", name="Duplicate 3")).to_be_visible()
    page.locator("[name=confidence]").fill("0.85")
    expect(page.get_by_role("button", name="Duplicate 0")).to_be_visible()
    expect(page.get_by_role("button", name="False negative 6")).to_be_visible()
    training = page.locator(".crumb").get_attribute("href").rpartition("/")[2]
    stored = {"iou": 0.6, "classes": {"cat": 0.7}}
    assert site.call("PUT", f"/api/trainings/{training}/thresholds", json=stored).ok
    page.locator("[data-keep]").click()
    expect(page.get_by_text("The Test page now uses this confidence threshold for this model.")).to_be_visible()
    thresholds = site.get(f"/api/trainings/{training}").json()["thresholds"]
    assert thresholds == stored | {"confidence": 0.85}, "what others stored stays"
    page.goto(f"{site.url}/tests?training_id={training}")
    expect(page.locator("[data-value=confidence]")).to_have_text("85%")
    expect(page.locator("[data-recommended]")).to_have_text("85% was chosen for this model.")
    page.goto(f"{site.url}/trainings/{training}")
    page.locator("[data-download]").first.click()
    expect(page.locator(".weights-facts")).to_contain_text("Chosen confidence threshold0.85")
    expect(page.locator(".snippet").first).to_contain_text("conf=0.85")


def test_on_a_phone_in_the_dark_in_portuguese(open_page: Open, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation}", width=360, theme="dark")
    expect(page.locator(".evaluated-verdict")).to_contain_text("A classe mais fraca é “dog”.")
    expect(page.locator("[data-images] .preview").first).to_be_visible()
    expect(page.locator("[data-matrix] table")).to_be_visible()
    expect(page.locator("[data-suspect-total]")).to_have_text("3 suspeitas de erro")
    assert overflow(page) <= 0
    assert grave(page) == []
    shoot(page, "evaluation-phone")
    page.locator("[data-other]").select_option(index=1)
    expect(page.locator("#compare .evaluated-verdict")).to_contain_text("15 imagens são poucas")
    assert overflow(page) <= 0
    page.get_by_role("button", name="Mais").click()
    expect(page.get_by_role("link", name="Ajuda")).to_be_visible()
    page.locator("#label-errors").scroll_into_view_if_needed()
    shoot(page, "label-errors-phone")


def test_a_failed_evaluation_names_the_reason(open_page: Open, evaluation: int) -> None:
    page = open_page(f"/evaluations/{evaluation + 1}", locale="en")
    expect(page.locator("[data-state]")).to_contain_text("Out of memory.")
    expect(page.locator("[data-results]")).to_be_hidden()
    shoot(page, "evaluation-failed")


def test_the_list_of_a_run_and_a_new_one_with_mapped_classes(open_page: Open, evaluation: int) -> None:
    page = open_page("/", locale="en")
    training = page.evaluate(f"fetch('/api/evaluations/{evaluation}').then((r) => r.json()).then((e) => e.training_id)")
    page = open_page(f"/trainings/{training}", locale="en", expected="422")
    rows = page.locator("[data-evaluation-row]")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("Validation set")
    expect(rows.last).to_contain_text("Best checkpoint")
    expect(rows.first).to_contain_text("Failed")
    newest = page.locator("[data-newest-verdict]")
    expect(newest).to_contain_text("Validation set: The model is usable on this set, with errors.")
    expect(newest.get_by_role("link")).to_have_attribute("href", f"/evaluations/{evaluation}")
    page.locator("[data-evaluate]").click()
    page.locator("#evaluate-dataset").select_option(label="Birds")
    shoot(page, "evaluation-new")
    page.locator("dialog [type=submit]").click()
    expect(page.locator("dialog .field-error")).to_contain_text("<b>bird")
    page.locator("[data-theirs]").select_option("dog")
    page.locator("dialog [type=submit]").click()
    expect(rows).to_have_count(3)
    shoot(page, "evaluations-of-a-run")
    rows.last.get_by_role("link", name="Validation set").click()
    expect(page.locator(".evaluated-verdict")).to_be_visible()
