"""Every code that the doctor gives has its texts, and every fix says what it does."""

import re
from pathlib import Path

from apiflask import APIFlask

from app.services.datasets import format_texts
from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.finding_texts import TEXTS, filled, told_of
from app.worker.doctor import FIXABLE

WORKER = Path(__file__).parents[2] / "app/worker"


def test_every_code_has_its_texts() -> None:
    severity = r'(?:add\(|severity": )"(?:error|warning|info)",\s*(?:"code": )?"([a-z_]+)"'
    calls = severity + r'|about\(name, "\w+", "([a-z_]+)"'
    used = {one or other for path in (WORKER / "doctor").glob("*.py")
            for one, other in re.findall(calls, path.read_text())}  # fmt: skip
    used |= {f"image_{what}" for what in ("scans", "pages")}  # of a TooCostly
    used |= {"leak", "leak_exact", "leak_source", "near_duplicate", "duplicate_image", "duplicate_conflict"}
    assert len(used) > 35
    assert used == TEXTS.keys()
    assert {code for code, told in TEXTS.items() if told.fix} == FIXABLE
    assert format_texts.FINDINGS.keys() <= CONVERTED.keys()


def test_what_an_older_version_wrote(app: APIFlask) -> None:
    with app.test_request_context():
        assert str(told_of("unheard_of").title) == "unheard_of"
        assert "%(value)s" in filled(TEXTS["class_float"].message, {})
