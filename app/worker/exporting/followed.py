"""Reports each item that a library consumes, so that hours of work on a loaded machine show progress."""

from collections.abc import Callable, Iterator
from typing import Any


class Followed:
    """A sequence or a data loader that calls back for each item consumed.

    Args:
        step: what it raises ends whatever takes the item.
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
        if name.startswith("__"):  # it is iterated, whatever else its items can do
            raise AttributeError(name)
        return getattr(self.items, name)
