"""Bring the Portuguese catalogue up to date with the code. Part of scripts/i18n.sh."""

import json
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "app" / "translations"
PO = TRANSLATIONS / "pt_BR" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {
    "_": None,
    "_l": None,
    "_ln": (1, 2),
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "t": None,
    "tn": (1, 2),
}


def extracted() -> Catalog:
    """Every text in the code, with the files that contain it."""
    with open(ROOT / "babel.cfg", encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    catalog = Catalog()
    messages = extract_from_dir(
        str(ROOT), methods, options, KEYWORDS, comment_tags=("i18n:",), directory_filter=is_source_folder
    )
    for filename, _line, message, comments, _context in sorted(messages, key=lambda item: item[:2]):
        catalog.add(message, locations=[(filename, None)], auto_comments=comments)
    return catalog


def is_source_folder(folder: str) -> bool:
    """Whether a folder contains our own code."""
    name = Path(folder).name
    return not name.startswith((".", "_")) and name not in {"vendor", "node_modules", "data", "instance", "migrations"}


def present() -> Catalog:
    """The committed catalogue."""
    with open(PO, "rb") as file:
        return read_po(file, locale="pt_BR")


def translated(message: Message) -> bool:
    """Whether every form has a text."""
    forms = message.string if message.pluralizable else (message.string,)
    return bool(forms) and all(forms) and (not message.pluralizable or len(forms) == 2)


def fill_empty_texts(catalog: Catalog, pending: dict[str, str | list[str]]) -> list[str]:
    """Fill the empty texts of the catalogue from `pending`; returns the unused keys."""
    unused = []
    for key, text in pending.items():
        message = catalog.get(key)
        if message is None:
            unused.append(key)
        elif not translated(message):
            message.string = tuple(text) if isinstance(text, list) else text
            message.flags.discard("fuzzy")
    return unused


def main() -> None:
    """Update messages.po in place."""
    catalog = present() if PO.exists() else Catalog(locale="pt_BR")
    catalog.fuzzy, catalog.header_comment = (
        False,
        "# Portuguese (Brazil). Made by scripts/i18n.sh; the texts are edited here.",
    )
    catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    for path in sorted((TRANSLATIONS / "_pending").glob("*.json")):
        for key in fill_empty_texts(catalog, json.loads(path.read_text(encoding="utf-8"))):
            print(f"{path.name}: nothing asks for {key!r}", file=sys.stderr)
    PO.parent.mkdir(parents=True, exist_ok=True)
    with open(PO, "wb") as file:
        write_po(file, catalog, width=120, sort_output=True, omit_header=False, no_location=False)


if __name__ == "__main__":
    main()
