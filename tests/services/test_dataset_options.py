"""The options of a revision: renamings are combined, and options that are not given keep their value."""

import pytest

from app.services.datasets.options import apply_changes, compose_renames, recipe


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"a": "b"}, {"b": "c"}, {"a": "c", "b": "c"}),
        ({"a": "b"}, {"c": "b"}, {"a": "b", "c": "b"}),
        ({"a": "b", "b": "a"}, {"a": "x"}, {"a": "b", "b": "x"}),
        ({}, {"a": "b"}, {"a": "b"}),
    ],
)
def test_renamings_add_up(first: dict[str, str], second: dict[str, str], both: dict[str, str]) -> None:
    assert compose_renames(first, second) == both
    names = sorted({*first, *second, *first.values()})
    in_two_steps = [second.get(first.get(name, name), first.get(name, name)) for name in names]
    assert [both.get(name, name) for name in names] == in_two_steps


def test_a_recipe_preserves_unnamed_options() -> None:
    base = recipe({"root": "/a/", "task": "segment"}, 10)
    assert (base["root"], base["merge"]) == ("a", False)
    assert apply_changes(base, {"merge": True}, None, 10) == base | {"merge": True}
    assert apply_changes(base, {"root": None}, None, 10) == base | {"root": None}
    renamed = base | {"rename": {"a": "b"}}
    assert apply_changes(renamed, {"rename": {"b": "c"}}, ["a"], 10)["rename"] == {"a": "c"}
    assert apply_changes(renamed, {"rename": {"b": "c"}}, ["a", "b"], 10)["rename"] == {"a": "c", "b": "c"}
    assert apply_changes(renamed, {"names": ["x"]}, ["a"], 10)["rename"] is None
