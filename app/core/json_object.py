"""The type of JSON from outside."""

# An object in a file or an answer of another program. Its values are untrusted: mypy accepts their use only after a
# check (`isinstance`), or in functions that accept any value (`number()`, `text()`).
JsonObject = dict[str, object]
