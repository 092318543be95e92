"""Renders the user guide of the wiki as HTML, in the reader's language."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.config import ROOT

if TYPE_CHECKING:
    from markdown_it.token import Token

WIKI = ROOT / "wiki"
GUIDES = {"pt_BR": "Guia-do-Usuario", "en": "User-Guide"}
MARK = re.compile(r'<a id="([a-z-]+)"></a>')

FRAMES = (  # content wider than the page scrolls, also by keyboard
    (r"<p>§([a-z-]+)§\s*</p>", r'<a id="\1"></a>'),
    (r"<table>", '<div class="table-wrap" tabindex="0"><table>'),
    (r"</table>", "</table></div>"),
    (r"<pre>", '<pre tabindex="0">'),
)


@dataclass(frozen=True)
class Guide:
    """A guide: title, HTML, and sections as (anchor, title)."""

    title: str
    html: str
    sections: tuple[tuple[str, str], ...]


def guide(locale: str) -> Guide:
    """The guide in a language; the Portuguese one if it is missing."""
    name = GUIDES.get(locale, GUIDES["pt_BR"])
    path = WIKI / f"{name}.md"
    return render(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def render(path: Path, _changed: int) -> Guide:
    """A file of the wiki as HTML, cached until the file changes. HTML in it is escaped: `html` is off."""
    from markdown_it import MarkdownIt  # not at import, since this page is rarely requested

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    text = path.read_text(encoding="utf-8")
    tokens = parser.parse(MARK.sub(lambda match: f"§{match[1]}§", text))
    title, sections = number_headings(tokens)
    without_pages(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    for pattern, replacement in FRAMES:
        html = re.sub(pattern, replacement, html)
    return Guide(title, html, tuple(sections))


def number_headings(tokens: "list[Token]") -> tuple[str, list[tuple[str, str]]]:
    """Add anchors to the headings, and remove the title; returns the title and the sections."""
    title, sections = "", []
    anchors: set[str] = set()
    for index, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        text = tokens[index + 1].content
        if token.tag == "h1":
            title, tokens[index + 1].children, token.hidden = text, [], True
            tokens[index + 2].hidden = True
            continue
        anchor = slug(text)
        while anchor in anchors:
            anchor += "-"
        anchors.add(anchor)
        token.attrSet("id", anchor)
        if token.tag == "h2":
            sections.append((anchor, text))
    return title, sections


def without_pages(tokens: "Iterable[Token]") -> None:
    """Replace links to other pages of the wiki, which are not served, by their text."""
    for token in tokens:
        children = token.children or []
        hidden = False
        for child in children:
            if child.type == "link_open":
                hidden = not str(child.attrGet("href")).startswith(("http://", "https://", "#"))
                child.attrSet("rel", "noopener")
            child.hidden = hidden and child.type in {"link_open", "link_close"}
            if child.type == "link_close":
                hidden = False
        token.children = [child for child in children if not child.hidden] if token.children is not None else None


def slug(text: str) -> str:
    """The anchor of a heading: letters and digits with hyphens."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")
