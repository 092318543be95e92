"""Selects the language (pt_BR or en) and translates; the texts in the code are English."""

import gettext as gnu
import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, g, has_request_context, request
from flask_babel import format_decimal, get_locale, get_translations

from app.extensions import babel

LOCALES = ("pt_BR", "en")
DEFAULT = "pt_BR"  # for clients that name no language, in which the specification's messages are
TRANSLATIONS = Path(__file__).parent / "translations"


def init_app(app: APIFlask) -> None:
    """Select the language per request; serve the catalogue to the pages' scripts."""
    app.config["BABEL_DEFAULT_LOCALE"] = DEFAULT
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    babel.init_app(app, locale_selector=select_locale)
    app.add_url_rule("/i18n/<version>/<locale>.js", "i18n_catalogue", app.doc(hide=True)(serve_catalogue))
    app.jinja_env.globals.update(get_locale=get_locale, catalogue_url=catalogue_url, html_lang=html_lang)


def select_locale() -> str:
    """The reader's choice (cookie `lang`), else the browser's preference, else Portuguese."""
    if not has_request_context():
        return DEFAULT
    if "locale" not in g:
        g.locale = choose(request.cookies.get("lang", ""), request.headers.get("Accept-Language", ""))
    return g.locale


def choose(cookie: str, header: str) -> str:
    """pt_BR for any Portuguese, en for any other language, pt_BR if none is named."""
    if cookie in LOCALES:
        return cookie
    if not header.strip() or header.strip() == "*":
        return DEFAULT
    weighted = []
    for order, part in enumerate(header.split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weighted.append((-float(quality or 1), order, tag.lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(weighted):
        if tag.startswith("pt"):
            return "pt_BR"
        if tag.startswith("en"):
            return "en"
    return "en"


def html_lang() -> str:
    """The page's language as HTML writes it."""
    return str(get_locale()).replace("_", "-")


def written(data: Mapping[str, object]) -> dict[str, object]:
    """Placeholder values in the reader's notation: decimal fractions (0,001 in Portuguese); others unchanged."""
    return {key: decimal(value) if isinstance(value, float) else value for key, value in data.items()}


def ngettext(one: str, many: str, count: int, /, **values: Any) -> str:
    """A text with a count, whose `%(num)s` is in the reader's notation: 1.500 in Portuguese."""
    return str(get_translations().ungettext(one, many, count)) % {"num": format_decimal(count), **values}


def decimal(value: float) -> str:
    """A decimal fraction with up to eight digits; "nan" and "inf" by these names."""
    return format_decimal(value, format="0.########") if math.isfinite(value) else str(value)


@lru_cache
def catalogue(locale: str) -> str:
    """The translations as a script that sets `window.catalogue`."""
    messages: dict[str, str | list[str]] = {}
    path = TRANSLATIONS / locale / "LC_MESSAGES" / "messages.mo"
    if path.exists():
        with open(path, "rb") as file:
            for key, text in gnu.GNUTranslations(file)._catalog.items():  # type: ignore[attr-defined]
                if isinstance(key, tuple):
                    forms = messages.setdefault(key[0], [])
                    assert isinstance(forms, list)
                    forms.insert(key[1], text)
                elif key:
                    messages[key] = text
    body = {"locale": locale.replace("_", "-"), "messages": messages}
    return f"window.catalogue = {json.dumps(body, ensure_ascii=False, sort_keys=True)};\n"


@lru_cache
def gzipped(text: str) -> bytes:
    """A catalogue, compressed once."""
    return gzip.compress(text.encode(), 9, mtime=0)


def catalogue_url() -> str:
    """The address of the current language's catalogue, which changes with its content."""
    locale = str(get_locale())
    version = hashlib.sha256(catalogue(locale).encode()).hexdigest()[:12]
    return f"/i18n/{version}/{locale}.js"


def serve_catalogue(version: str, locale: str) -> Response:
    """The catalogue, cached permanently: changed content has another address."""
    text = catalogue(locale if locale in LOCALES else DEFAULT)
    response = Response(text, mimetype="text/javascript")
    if request.accept_encodings["gzip"]:
        response.set_data(gzipped(text))
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.cache_control.public = True
    response.cache_control.max_age = 31_536_000
    response.cache_control.immutable = True
    return response
