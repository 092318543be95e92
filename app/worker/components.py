"""Connected components of overlapping groups.

Standard library only: the preview of a split needs them without numpy. Those of near-duplicates, which are found as
millions of pairs in arrays, are in quality/near_duplicates.py.
"""

from collections.abc import Iterable, Sequence


def connected_components(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Overlapping groups of indices below `count` made one (union-find): each index is in exactly one component.

    Components and their members are in ascending order, a component by its first member.
    """
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for group in groups:
        first = root(group[0]) if group else 0
        for index in group[1:]:
            parent[root(index)] = first
    components: dict[int, list[int]] = {}
    for index in range(count):
        components.setdefault(root(index), []).append(index)
    return list(components.values())
