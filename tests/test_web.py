"""Routing of the application."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.routing import Map, Rule

from app.web import IdConverter, LazyRule

ROUTES: list[dict[str, Any]] = [
    {"string": "/api/runs/<id:run>/files/<path:name>", "endpoint": "file"},
    {"string": "/pages/", "defaults": {"page": 1}, "endpoint": "pages"},
    {"string": "/pages/<int:page>", "endpoint": "pages"},
]
WANTED: list[tuple[str, dict[str, Any]]] = [
    ("file", {"run": 5, "name": "a b/ç.txt"}),
    ("file", {"run": 5, "name": "x", "self": 1, "rule": ["é", 2], "append_unknown": "0"}),
    ("pages", {"page": 1}),
    ("pages", {"page": 7, "order": "new"}),
]


def addresses(kind: type[Rule]) -> list[str]:
    routes = Map([kind(**route) for route in ROUTES], converters={"id": IdConverter}).bind("example.org")
    return [routes.build(endpoint, values) for endpoint, values in WANTED]


def test_addresses_are_those_of_werkzeug() -> None:
    assert addresses(LazyRule) == addresses(Rule)


def test_an_address_is_compiled_when_it_is_first_built(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_builder = Rule._compile_builder

    def record(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled.append(rule.rule)
        return compile_builder(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", record)
    routes = Map([LazyRule("/a/<int:x>", endpoint="a"), LazyRule("/b", endpoint="b")]).bind("example.org")
    assert routes.match("/a/5") == ("a", {"x": 5})
    assert compiled == []
    assert [routes.build("a", {"x": number}) for number in (1, 2, 3)] == ["/a/1", "/a/2", "/a/3"]
    assert compiled == ["/a/<int:x>"]
