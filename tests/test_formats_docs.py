"""README, wiki and page name the formats that the code reads."""

import re

from app.core.formats import FORMATS, KEYS, readme_list, wiki_table
from app.services.datasets.texts import FORMATS as TITLES
from scripts.local_server import ROOT


def test_the_readme_lists_the_formats() -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert readme_list() in text


def test_the_wiki_has_the_table_of_formats() -> None:
    assert wiki_table() in (ROOT / "wiki" / "Formatos-de-Dataset.md").read_text(encoding="utf-8")


def test_the_page_has_a_name_for_each_format() -> None:
    script = (ROOT / "app/static/js/lib/vocabulary.js").read_text(encoding="utf-8")
    block = script[script.index("const FORMATS = {") : script.index("};", script.index("const FORMATS = {"))]
    assert set(re.findall(r'(?:^|[\s,{])"?([a-z][a-z-]*)"?:', block)) == set(KEYS)
    for item in FORMATS:
        assert str(TITLES[item.key])
        assert not item.title or f'"{item.title}"' in block
