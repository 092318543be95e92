"""Natural sort order: image2 before image10."""

import re


def natural_key(name: str) -> tuple[str, str]:
    """A sort key: numbers by value, letters case-insensitive; the name itself breaks ties.

    Each run of digits is prefixed with its length, so that keys compare as strings.
    """
    return re.sub(r"\d+", lambda match: counted(match[0].lstrip("0")), name.casefold()), name


def counted(digits: str) -> str:
    return f"{len(digits):03}{digits}"
