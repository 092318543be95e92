"""The JSON files that a training's processes leave; they are there whole or not at all."""

import json
from pathlib import Path
from typing import Any


def document(path: Path) -> dict[str, Any] | None:
    """One of them; None where it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
