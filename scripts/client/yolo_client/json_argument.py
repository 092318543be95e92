"""Command-line arguments that are JSON objects."""

import argparse
import json


def json_object(text: str) -> dict[str, object]:
    """Raises ArgumentTypeError: it is not a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("expected a JSON object in quotes, such as '{\"name\": 1}'")
    return value
