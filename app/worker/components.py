"""Connected components of overlapping groups.

Near-duplicates, which are millions of pairs in arrays, are grouped in quality/near_duplicates.py.
"""

from collections.abc import Iterable, Sequence


def connected_components(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Merge overlapping groups of indexes below `count`: each index is in exactly one component.

    Components and their members are in ascending order; components by their first member.
    """
    links = [group for group in groups if len(group) > 1]
    if not links:
        return [[index] for index in range(count)]
    from networkx.utils import UnionFind  # not at import: 0.1 s, and most datasets link nothing

    forest = UnionFind(range(count))
    for group in links:
        forest.union(*group)
    return sorted(sorted(component) for component in forest.to_sets())
