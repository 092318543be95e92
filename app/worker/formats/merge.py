"""Merges several datasets into one: classes by name, images below their dataset's folder."""

from app.core.names import printable_name
from app.worker.formats.class_names import check_names
from app.worker.formats.classes import index_by_name
from app.worker.formats.item_names import ensure_unique_names, inner
from app.worker.formats.model import DetectedDataset, InvalidInput, Item, Options, Row, Source, decision, finding
from app.worker.formats.paths import join
from app.worker.formats.tree import Tree


def merge(tree: Tree, datasets: list[DetectedDataset], sources: list[Source], options: Options) -> Source:
    """Merge several sources.

    Raises:
        InvalidInput: together they have too many classes.
    """
    names = check_names(
        list(dict.fromkeys(name for source in sources for name in source.names)) or ["class_0"],
        options.max_classes,
        "merge",
    )
    first = sources[0]
    merged = Source(first.format, "", None, names, [], keypoints=first.keypoints)
    tasks = {source.task for source in sources}
    shapes = [source.keypoints for source in sources]
    if any(keypoints != shapes[0] for keypoints in shapes):
        raise InvalidInput("merge_keypoints")
    merged.task = tasks.pop() if len(tasks) == 1 else None
    used: set[str] = set()
    for source in sources:
        add_dataset(tree, source, merged, used)
    merged.decisions += ensure_unique_names(merged.items)
    roots = ", ".join(printable_name(item.where) for item in datasets)
    merged.decisions.insert(0, decision("merged", "merge", [False], roots=roots, count=len(datasets)))
    merged.outside = [path for path in first.outside if path not in used]
    return merged


def add_dataset(tree: Tree, source: Source, merged: Source, used: set[str]) -> None:
    """Add one dataset to the merged one."""
    index_of = index_by_name(merged.names)
    numbers = [index_of[name] for name in source.names]
    same = numbers == list(range(len(numbers)))
    prefix = "/".join(inner(source.root.split("/"))) if source.root else ""
    for item in source.items:
        if item.image in used:
            merged.findings.append(
                finding(
                    "warning",
                    "image_repeated",
                    source.root or None,
                    of=item.image,
                    image=printable_name(item.image),
                    first=source.root,
                )
            )
            continue
        used.add(item.image)
        if item.label:
            used.add(item.label)
        item.name = join(prefix, item.name)
        if not same:
            renumber(tree, item, numbers)
        merged.items.append(item)
    merged.decisions += [entry for entry in source.decisions if entry["code"] != "names_changed"]
    merged.findings += source.findings


def renumber(tree: Tree, item: Item, numbers: list[int]) -> None:
    """Renumber rows to the merged classes; an unreadable row is unchanged, and reported by the dataset check."""
    if item.rows is not None:
        for row in item.rows:
            row.text = with_class(row.text, numbers)
    elif item.label:
        try:
            lines = tree.path(item.label).read_bytes().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            return
        rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        item.rows = [Row(with_class(line, numbers), item.label, number) for number, line in rows]
        item.label = None


def with_class(text: str, numbers: list[int]) -> str:
    first, _, rest = text.strip().partition(" ")
    is_listed = first.isascii() and first.isdigit() and len(first) < 10 and int(first) < len(numbers)
    return f"{numbers[int(first)]} {rest}" if is_listed else text
