"""The product's language, in both languages: one term for one concept, plural forms, and numbers by locale.

The terms are those of the wiki's glossary; its avoided words occur in no text of the catalogue.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from scripts.i18n import ROOT, present

PLACEHOLDER = r"(?:%\(\w+\)[sd]|\{\w+\})"

# Avoided words, by language.
AVOIDED = {
    "en": {
        r"pictures?": "image",
        r"things?": "object",
        r"outlines?": "polygon",
        r"turned boxes?": "oriented bounding box",
        r"marks?|marked": "label, annotate",
        r"findings?": "issue",
        r"mend(ed|s)?": "fix",
        r"revisions?": "version",
        r"trainings": "runs",
        r"by heart": "overfitting",
        r"explodes?": "diverging",
        r"official weights|start weights": "pretrained weights, initial weights",
        r"go(es)? on|went on": "resume, continue",
        r"for good": "permanently",
        r"anew": "again, or a verb that says it",
        r"labeled": "annotated",
        r"servers? of weights": "weights server",
        r"so many": "this number of",
        r"in all": "total",
        r"false alarms?": "false positives",
        r"guess(es)?": "prediction",
        r"measures?": "metric",
        r"figures?": "metric, value",
        r"processors?": "CPU",
        r"cancelled": "stopped",
        r"memory ran out": "out of memory",
        r"still to go": "left",
        r"look alike": "near-duplicate",
        r"set aside": "left out",
        r"nobody": "name the subject",
        r"cannot": "can't, in the pages",
        r"colou?rs?(?<!color)(?<!colors)|centres?|normalis\w+|recognis\w+|labell\w+|licence|grey": "US spelling",
        r"please|oops": "neither",
        r"for this(?=\.)": "for what",
        r"^missed$": "false negative",
    },
    "pt": {
        r"rótulos?|rotul(?!o)\w+|marcas?(?! de ordem de bytes)|marcad[oa]s?": "anotação",
        r"achad\w+": "problema, detectado",
        r"revisão|revisões": "versão",
        r"lotes?": "batch",
        r"sementes?": "seed",
        r"limiar\w*": "threshold",
        r"aquecimento": "warmup",
        r"cronogramas?": "schedule",
        r"revocação": "recall",
        r"pontos?-chave": "keypoint",
        r"contornos?": "polígono",
        r"caixas? giradas?": "caixas orientadas",
        r"(?<!de )(?<!: )treino": "treinamento",
        r"previsão|previsões|palpites?": "predição",
        r"alarmes? falsos?|falsos? alarmes?": "falso positivo",
        r"apaga\w*|de vez": "excluir, definitivamente",
        r"de novo|outra vez": "novamente",
        r"conserta\w*": "corrigir",
        r"decora\w*": "overfitting",
        r"explod\w+": "divergir",
        r"painel": "dashboard",
        r"processador(es)?": "CPU",
        r"dá para|deu para": "é possível",
        r"ninguém": "diga quem",
        r"esticar|esticad\w+": "estender",
        r"oficiais": "pré-treinados",
        r"cancelado": "interrompido",
        r"parar|parad[oa]s?": "interromper",
        r"envios?": "upload",
        r"perda (no|na|do|da) (treino|validação)": "perda de treino, perda de validação",
        r"caixas? delimitadoras?": "bounding box",
        r"parada precoce": "early stopping",
        r"ponto de controle": "checkpoint",
        r"(mais|menos) precis[oa]s?": "a precisão é uma métrica",
    },
}

# Avoided words in their everyday meaning, with the reason.
ALLOWED = {
    "Mark as important": "a mark of the user's on a model, not a label",
    "Remove importance mark": "the same",
    "Upload canceled": "of an upload, not of a run",
    "Label files with a byte-order mark": "its name in Unicode",
    "The label file begins with a byte-order mark.": "the same",
    "The byte-order mark is removed.": "the same",
    "Two corners: x1, y1, x2, y2": "names coordinates",
    "Share of the actual objects that are detected. Low means many missed objects (false negatives).": "explains it",
    "training": "a set's name in a table or a legend",
    "The model is no better than guessing": "what chance does, not a prediction",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    return present()


def forms(message: Message) -> Iterator[tuple[str, str, str]]:
    """(msgid, language, text) of every form."""
    both = (message.id, message.string) if message.pluralizable else ((message.id,), (message.string,))
    first = both[0][0]
    for english, portuguese in zip(*both, strict=True):
        yield first, "en", english
        yield first, "pt", portuguese


def texts(catalogue: Catalog) -> list[tuple[str, str, str]]:
    return [form for message in catalogue if message.id for form in forms(message)]


def prose_of(text: str) -> str:
    """The text without its placeholders, code words and quotations."""
    return re.sub(rf"{PLACEHOLDER}|`[^`]*`|“[^”]*”|\b[A-Z]+_[A-Z_]+\b", " ", text)


def test_no_text_uses_a_replaced_term(catalogue: Catalog) -> None:
    wrong = [
        f"{match.group()} → {instead}: {text}"
        for first, language, text in texts(catalogue)
        if first not in ALLOWED
        for word, instead in AVOIDED[language].items()
        if (match := re.search(rf"\b(?:{word})\b", prose_of(text), re.IGNORECASE))
    ]
    assert wrong == []


def test_the_exceptions_are_needed(catalogue: Catalog) -> None:
    assert [first for first in ALLOWED if catalogue.get(first) is None] == []


def counted_nouns(catalogue: Catalog) -> dict[str, set[str]]:
    """By language, the nouns that the product counts: the words after a placeholder in the catalogue's plural forms."""
    nouns: dict[str, set[str]] = {"en": set(), "pt": set()}
    for message in catalogue:
        if message.id and message.pluralizable:
            for language, many in (("en", message.id[1]), ("pt", message.string[1])):
                nouns[language] |= {noun for noun in re.findall(rf"{PLACEHOLDER} (\w+s)\b", many) if len(noun) > 3}
    return {language: words - NOT_COUNTED for language, words in nouns.items()}


# Words that follow a placeholder in some plural form but are not counted nouns; "times" is a factor, too.
NOT_COUNTED = {"class", "mais", "times", "vezes"}
OF = r"(?!(?:of|per|de|das|dos|por) )"  # a share of something is no count of it


def test_every_text_with_a_count_has_plural_forms(catalogue: Catalog) -> None:
    """By rule: a placeholder before a noun that is counted elsewhere, with at most one word between."""
    nouns = counted_nouns(catalogue)
    assert {"images", "objects", "epochs", "runs"} <= nouns["en"]
    assert {"imagens", "objetos", "épocas", "treinamentos"} <= nouns["pt"]
    uncounted = [form for message in catalogue if message.id and not message.pluralizable for form in forms(message)]
    wrong = [
        text
        for _first, language, text in uncounted
        if re.search(rf"{PLACEHOLDER} {OF}(?:[^\W\d]+ )?(?:{'|'.join(sorted(nouns[language]))})\b", text)
    ]
    assert wrong == []


def test_plural_forms_differ_only_where_the_language_does(catalogue: Catalog) -> None:
    """Each form has the same placeholders, and no text uses "(s)"."""
    for _first, _language, text in texts(catalogue):
        assert "(s)" not in text, text
    for message in catalogue:
        if message.id and message.pluralizable:
            one, many = message.id
            assert set(re.findall(PLACEHOLDER, one)) <= set(re.findall(PLACEHOLDER, many)), message.id


def test_punctuation_and_units(catalogue: Catalog) -> None:
    for _first, language, text in texts(catalogue):
        assert "  " not in text, text
        assert text == text.strip(), text
        assert not re.search(r"[\d}s] %%?(?!\()(?=\W|$)", text), f"a percent sign without a space: {text}"
        assert not re.search(rf"{PLACEHOLDER} bytes\b", text), f"a size in kB, MB or GB: {text}"
        if language == "pt":
            assert not re.search(r'"\w', text), f"quotation marks are “ ”: {text}"


def test_no_word_is_there_twice(catalogue: Catalog) -> None:
    assert [
        text for _, _, text in texts(catalogue) if re.search(r"\b([^\W\d]+) \1\b", prose_of(text), re.IGNORECASE)
    ] == []


def test_numbers_are_no_part_of_a_text(catalogue: Catalog) -> None:
    """They are formatted for the reader's language; an integer below 100 and a code are allowed."""
    wrong = [
        text
        for first, _language, text in texts(catalogue)
        if re.search(r"(?<![\w.-])\d+[.,]\d+(?![\w.-]*\])", prose_of(text)) and first not in CODES
    ]
    assert wrong == []


def test_counts_are_filled_as_the_reader_writes_them(catalogue: Catalog) -> None:
    """1.500 in Portuguese: `%(num)d` would write 1500 in both languages."""
    assert [text for _first, _language, text in texts(catalogue) if re.search(r"%(\(\w+\))?d", text)] == []


def test_zero_is_plural_in_portuguese(catalogue: Catalog) -> None:
    """As in common usage: "0 erros"."""
    assert catalogue.plural_expr == "(n != 1)"


# False claims that texts once made, by pattern: each was checked against the product.
UNTRUE = {
    r"test set once": "training does not use the test set",
    r"takes? days|hours instead of days": "nobody measured it",
    r"labels are not the cause": "nobody has looked at them yet",
    r"^objects of \{size\} px or more": "a tenth of them are smaller",
    r"^O mesmo seed": "a seed",
}


def test_no_text_repeats_a_false_claim(catalogue: Catalog) -> None:
    assert [text for _first, _, text in texts(catalogue) if any(re.search(pattern, text) for pattern in UNTRUE)] == []


# Input to be typed literally.
CODES = {"Send run IDs separated by commas: 3,5,8.", "Must be greater than 0, and at most 1,000,000."}


def test_the_catalogue_compiles(catalogue: Catalog) -> None:
    """A percent sign that is parsed as a placeholder breaks Portuguese on the server."""
    assert [(message.id, str(error)) for message, errors in catalogue.check() for error in errors] == []


def calls(source: str) -> Iterator[tuple[ast.Call, set[str]]]:
    """The calls that format a text immediately, with the placeholders of the text."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"_", "gettext", "ngettext"}
        ):
            english = [item.value for item in node.args[:2] if isinstance(item, ast.Constant)]
            yield node, {name for text in english if isinstance(text, str) for name in re.findall(r"%\((\w+)\)", text)}


def test_every_call_fills_the_placeholders_of_its_text() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for node, placeholders in calls(path.read_text(encoding="utf-8"))
        if None not in (arguments := {keyword.arg for keyword in node.keywords}) and placeholders - {"num"} != arguments
    ]
    assert wrong == []


def test_scripts_import_what_they_translate_with() -> None:
    missing = [
        (path.name, name)
        for path in (ROOT / "app" / "static" / "js").rglob("*.js")
        if path.name != "i18n.js"
        for name in ("t", "tn")
        if re.search(rf"(?<![\w.]){name}\(\s*\"", source := path.read_text(encoding="utf-8"))
        and not re.search(rf"import {{[^}}]*\b{name}\b[^}}]*}} from \"[./a-z]+i18n.js\"", source)
    ]
    assert missing == []


# In prose these words have their everyday meanings, too: a server that is stopped, a user who marks.
EVERYDAY = {"marcad[oa]s?", "marca", "parar", "parad[oa]s?", "cancelado", "ninguém", "measures?", "marks?", "figures?"}


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "wiki").glob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_the_wiki_uses_the_terms(path: Path) -> None:
    """Code and addresses are excluded: the API has its own names."""
    language = "en" if path.name in {"User-Guide.md", "README.md"} else "pt"
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    wrong = [
        f"{match.group()} → {instead}"
        for word, instead in AVOIDED[language].items()
        for match in re.finditer(rf"\b(?:{word})\b", prose, re.IGNORECASE)
        if not any(re.fullmatch(usual, match.group(), re.IGNORECASE) for usual in EVERYDAY)
    ]
    assert wrong == []
