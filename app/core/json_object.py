"""The type of JSON that others wrote."""

# An object of a file or of an answer that another program wrote. Nothing is known of its values: mypy accepts their use
# only behind a check (`isinstance`), or where a function takes whatever comes (`number()`, `text()`).
JsonObject = dict[str, object]
