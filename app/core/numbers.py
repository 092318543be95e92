"""Parses numbers in texts."""


def is_number(text: str) -> bool:
    """Whether Python reads it as a number; `nan` and `inf` are some, too."""
    try:
        float(text)
    except ValueError:
        return False
    return True
