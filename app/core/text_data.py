"""The placeholder values of a text: stored and sent beside the text's code, formatted when displayed."""

from collections.abc import Mapping, Sequence

TextValue = str | int | float | None | Sequence[object] | Mapping[str, object]
TextData = Mapping[str, TextValue]  # by placeholder
