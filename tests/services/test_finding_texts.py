"""Every code of the quality check has its texts, and every fix describes its effect."""

import re
from pathlib import Path

from apiflask import APIFlask

from app.services.datasets import format_texts
from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.finding_texts import TEXTS, effects, fill_text, text_of
from app.worker.quality import FIXABLE

WORKER = Path(__file__).parents[2] / "app/worker"


def test_every_code_has_its_texts() -> None:
    severity = r'(?:add\(\s*|severity": )"(?:error|warning|info)",\s*(?:"code": )?"([a-z_]+)"'
    calls = severity + r'|about\(\s*name,\s*"\w+",\s*"([a-z_]+)"'
    used = {
        one or second
        for path in (WORKER / "quality").glob("*.py")
        for one, second in re.findall(calls, path.read_text())
    }
    used |= {f"image_{what}" for what in ("scans", "pages", "tiles", "frames")}  # codes of TooCostly
    used |= {"leak", "leak_exact", "leak_source", "near_duplicate", "duplicate_image", "duplicate_conflict"}
    assert len(used) > 35
    assert used == TEXTS.keys()
    assert {code for code, texts in TEXTS.items() if texts.fix} == FIXABLE
    assert format_texts.FINDINGS.keys() <= CONVERTED.keys()


def test_images_that_a_fix_could_not_save_are_reported(app: APIFlask) -> None:
    fix = {"images": 2, "rows": 0, "files": ["a.jpg", "b.jpg"], "emptied": 0, "unsaved": 1, "unsaved_files": ["c.jpg"]}
    nothing = fix | {"images": 0, "files": []}
    with app.test_request_context(headers={"Accept-Language": "en"}):
        both, only = effects({"effects": {"exif_rotated": fix, "image_unread": nothing}})
        (older,) = effects({"effects": {"label_orphan": {"images": 0, "rows": 0, "files": ["a.txt"]}}})
    sentence = "1 image stays as it is. Saving it again takes too much time or memory."
    assert both["message"].endswith(f"2 images fixed, moved or removed. {both['title']}: {sentence}")
    assert only["message"] == f"{only['title']}: {sentence}"
    assert only["unsaved_files"] == ["c.jpg"]
    assert (older["message"], older["unsaved"]) == (f"Files removed: {older['title']}.", 0)


def test_what_an_older_version_wrote(app: APIFlask) -> None:
    with app.test_request_context():
        assert str(text_of("unheard_of").title) == "unheard_of"
        assert "%(value)s" in fill_text(TEXTS["class_float"].message, {})
