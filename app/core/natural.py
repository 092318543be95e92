"""Natural sort order: image2 before image10."""

import re


def natural_key(name: str) -> tuple[str, str]:
    """A key for sorting: numbers by their value, letters without case; the name itself decides between equal ones.

    Each run of digits gets its length in front, so that the keys can be compared as texts.
    """
    return re.sub(r"\d+", lambda match: counted(match[0].lstrip("0")), name.casefold()), name


def counted(digits: str) -> str:
    return f"{len(digits):03}{digits}"
