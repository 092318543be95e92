"""What fills the gaps of a text: stored and sent beside the text's code, made a sentence where it is shown."""

from collections.abc import Mapping, Sequence

TextValue = str | int | float | None | Sequence[object] | Mapping[str, object]
TextData = Mapping[str, TextValue]  # by the name of the gap
