"""The memory limit for loading a weights file."""

LOADING = 4 * 1024**3  # bytes in addition to twice the file's size; ultralytics' largest model needs a tenth


def memory_to_load(size: int) -> int:
    """Memory limit in bytes for loading a file of this size: a few bytes of a pickle can request any amount, as
    `torch.nn.Linear(60000, 100000)` does.
    """
    return LOADING + 2 * size
