"""Every text of the code has its Portuguese, and the scripts of the pages receive it."""

import json
import re
from pathlib import Path

import pytest
from apiflask import APIFlask
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo

from app import i18n
from app.i18n import written
from app.services.trainer.coach_texts import advice
from app.services.trainer.texts import note
from scripts.i18n import extracted, present, translated

JS = Path(i18n.__file__).parent / "static" / "js"


@pytest.fixture(scope="module")
def code() -> Catalog:
    return extracted()


@pytest.fixture(scope="module")
def portuguese() -> Catalog:
    return present()


def texts(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]|\{\w+\}", text))


def test_every_text_is_translated(code: Catalog, portuguese: Catalog) -> None:
    missing = [message.id for message in texts(code) if portuguese.get(message.id) is None]
    empty = [message.id for message in texts(portuguese) if not translated(message)]
    fuzzy = [message.id for message in texts(portuguese) if message.fuzzy]
    assert len(texts(code)) > 300
    assert (missing, empty, fuzzy) == ([], [], []), "run scripts/i18n.sh and fill what is empty"


def test_no_translation_is_unused(code: Catalog, portuguese: Catalog) -> None:
    assert [message.id for message in texts(portuguese) if code.get(message.id) is None] == []


def test_placeholders_survive_translation(portuguese: Catalog) -> None:
    for message in texts(portuguese):
        forms = zip(message.id, message.string, strict=True) if message.pluralizable else [(message.id, message.string)]
        for english, text in forms:
            assert placeholders(text) == placeholders(english), english


def test_the_extractor_sees_every_call_in_scripts(code: Catalog) -> None:
    """It fails to parse nested template strings: a text in one would silently stay English."""
    catalogued = {text for message in texts(code) for text in (message.id if message.pluralizable else (message.id,))}
    called = {
        text
        for path in JS.rglob("*.js")
        for call in re.findall(r'\bt\(\s*"([^"]+)"|\btn\(\s*"([^"]+)",\s*"([^"]+)"', script(path))
        for text in call
        if text
    }
    assert len(called) > 150
    assert called - catalogued == set()


def script(path: Path) -> str:
    """Its code, with texts of several lines in one piece."""
    return re.sub(r'"\s*\+\s*"', "", path.read_text(encoding="utf-8"))


def test_the_scripts_get_texts_and_plurals(
    portuguese: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pt_BR" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with open(folder / "messages.mo", "wb") as file:
        write_mo(file, portuguese)
    monkeypatch.setattr(i18n, "TRANSLATIONS", tmp_path)
    i18n.catalogue.cache_clear()
    try:
        script = i18n.catalogue("pt_BR")
        english = i18n.catalogue("en")
    finally:
        i18n.catalogue.cache_clear()
    body = json.loads(script.removeprefix("window.catalogue = ").removesuffix(";\n"))
    assert body["locale"] == "pt-BR"
    assert body["messages"]["{n} image"] == ["{n} imagem", "{n} imagens"]
    assert body["messages"]["Training runs"] == "Treinamentos"
    assert '"messages": {}' in english


def test_fractions_are_written_as_the_reader_does(app: APIFlask) -> None:
    data = {"name": "AdamW", "learning_rate": 0.001429}
    with app.test_request_context():
        assert note("optimizer_auto", data).startswith("Otimizador: AdamW, taxa de aprendizado: 0,001429,")
        assert advice("diverging", {"best": 1.5, "now": 7, "learning_rate": 0.01})["message"].count("1,5") == 1
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert "0.001429" in note("optimizer_auto", data)
        assert written({"id": 1234, "x": float("nan"), "y": 0.5}) == {"id": 1234, "x": "nan", "y": "0.5"}
