"""Connected components of groups of images."""

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from app.worker.components import connected_components


@settings(deadline=None)
@given(st.integers(0, 30).flatmap(lambda count: st.tuples(st.just(count), groups_below(count))))
def test_they_are_those_of_networkx(case: tuple[int, list[list[int]]]) -> None:
    count, groups = case
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    for group in groups:
        networkx.add_path(graph, group)
    expected = sorted(sorted(component) for component in networkx.connected_components(graph))
    assert connected_components(count, groups) == expected


def groups_below(count: int) -> st.SearchStrategy[list[list[int]]]:
    if not count:
        return st.just([])
    return st.lists(st.lists(st.integers(0, count - 1), max_size=6), max_size=12)


def test_an_empty_group_links_nothing() -> None:
    assert connected_components(2, [[]]) == [[0], [1]]
