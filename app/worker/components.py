"""Connected components of overlapping groups.

Standard library only: the preview of a split runs without numpy. Near-duplicates, which are millions of pairs in
arrays, are grouped in quality/near_duplicates.py.
"""

from collections.abc import Iterable, Sequence


def connected_components(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Merge overlapping groups of indexes below `count` (union-find): each index is in exactly one component.

    Components and their members are in ascending order; components by their first member.
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
