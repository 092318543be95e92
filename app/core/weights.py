"""The memory limit for loading a weights file, wherever it is loaded."""

LOADING = 4 * 1024**3  # bytes of memory beside twice the file's size; the largest model of ultralytics needs a tenth


def memory_to_load(size: int) -> int:
    """Bytes that a process may take while it loads a file of so many: a few bytes can ask for any number of them, as
    `torch.nn.Linear(60000, 100000)` does."""
    return LOADING + 2 * size
