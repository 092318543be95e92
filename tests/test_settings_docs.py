"""Each setting is documented once in .env.example and once in the wiki, in agreement with app/config.py."""

import re

from app.config import SETTINGS, load_settings
from scripts.local_server import ROOT

WIKI = ROOT / "wiki" / "Configuracao.md"


def example() -> list[tuple[str, str, str]]:
    """Name, default and help of each setting in .env.example."""
    entries, help_lines = [], []
    for line in (ROOT / ".env.example").read_text().splitlines():
        setting = re.fullmatch(r"#([A-Z_]+)=(.*)", line)
        if setting:
            entries.append((setting[1], setting[2], " ".join(help_lines)))
            help_lines = []
        elif line.startswith("# "):
            help_lines.append(line[2:])
        else:
            help_lines = []
    return entries


def wiki() -> list[tuple[str, str, str]]:
    """Name, default and help of each row of the wiki's table."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", WIKI.read_text(), flags=re.MULTILINE)
    return [(name, default.strip("`") if default != "*(vazio)*" else "", text) for name, default, text in rows]


def test_the_example_file_matches_the_code() -> None:
    assert example() == [(setting.name, setting.default, setting.help) for setting in SETTINGS]


def test_the_example_file_can_be_used_with_every_line_switched_on() -> None:
    assert load_settings({name: default for name, default, _ in example()}) == load_settings({})


def test_the_wiki_has_every_setting_with_its_default_and_a_sentence() -> None:
    rows = wiki()
    assert [row[:2] for row in rows] == [(setting.name, setting.default) for setting in SETTINGS]
    assert [name for name, _, text in rows if len(text) < 20 or not text.endswith(".")] == []
