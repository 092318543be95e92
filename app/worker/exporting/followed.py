"""Reports each item that a library consumes, so that hours of work on a loaded machine show progress."""

from collections.abc import Callable, Iterator
from typing import Any


class Followed:
    """A sequence or a data loader that calls back for each item consumed.

    Args:
        step: called for each item; an exception ends the iteration.
    """

    def __init__(self, items: Any, step: Callable[[], None]) -> None:
        self.items, self.step = items, step

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            self.step()
            yield item

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # iterate explicitly: special methods of the items are not forwarded
            raise AttributeError(name)
        return getattr(self.items, name)
