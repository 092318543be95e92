"""The user guide at /help: in both languages, linked from every page, with the anchors that pages link to."""

import re

import pytest
from flask.testing import FlaskClient

from app.services.guide import GUIDES, MARK, WIKI, guide

LANGUAGES = {"en": ("User guide", "Images without labels"), "pt-BR": ("Guia do usuário", "Imagens sem anotações")}
PAGES = ("/", "/datasets", "/trainings", "/trainings/new", "/compare", "/tests", "/system", "/help", "/nowhere")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_in_the_readers_language(client: FlaskClient, language: str) -> None:
    answer = client.get("/help", headers={"Accept-Language": language})
    text = answer.get_data(as_text=True)
    title, section = LANGUAGES[language]
    assert answer.status_code == 200
    assert f"<h1>{title}</h1>" in text
    assert section in text
    assert 'id="weights"' in text
    for anchor in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{anchor}"' in text, anchor
    article = text[text.index("data-guide") :]
    assert "<table>" in article
    assert "<pre tabindex" in article
    assert ".md" not in article, "other pages of the wiki are not served"
    assert "<script" not in article[: article.index("</article>")]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_links_to_it(client: FlaskClient, path: str) -> None:
    text = client.get(path, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert text.count('href="/help"') >= 2, "in the side bar, and in the menu of a phone"


def test_both_guides_have_the_same_parts() -> None:
    numbered = {
        locale: re.findall(r"^## (\d)\.", (WIKI / f"{name}.md").read_text(), re.M) for locale, name in GUIDES.items()
    }
    assert numbered["en"] == numbered["pt_BR"]
    marks = [set(MARK.findall((WIKI / f"{name}.md").read_text())) for name in GUIDES.values()]
    assert marks[0] == marks[1] == {"weights"}
    assert guide("fr").title == guide("pt_BR").title
