"""Parses numbers in texts."""


def is_number(text: str) -> bool:
    """Whether Python parses it as a number, `nan` and `inf` included."""
    try:
        float(text)
    except ValueError:
        return False
    return True
