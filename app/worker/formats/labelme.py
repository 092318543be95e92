"""LabelMe: a JSON file an image, beside it. Written so by labelme, X-AnyLabeling and others."""

import json
import math
from typing import Any

from app.worker.formats.classes import Known
from app.worker.formats.drafts import Draft, Shape, finish
from app.worker.formats.geometry import Points, number, ring, side
from app.worker.formats.model import Finding, Found, Options, Refused, Source, finding
from app.worker.formats.paths import folder_of, shown, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree

MAX_JSON = 64 * 1024**2  # bytes: the file may hold its image too


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    """One dataset for all files: folders below are its parts, unless they are far apart."""
    found = by_root(tree, paths, "labelme")
    if len(found) < 2:
        return found
    roots = {item.root: item for item in found}
    top = []
    for item in sorted(found, key=lambda item: -item.root.count("/") - bool(item.root)):  # the deepest first
        above = item.root
        while above:
            above = folder_of(above)
            if above in roots:
                roots[above].labels += item.labels
                roots[above].hint.extend(item.hint)
                break
        else:
            top.append(item)
    return top


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    drafts = []
    for path in found.hint:
        draft = read_file(tree, path, findings)
        if draft:
            draft.split = split_in(path, found.root, False) or split_in(draft.image, found.root, False)
            drafts.append(draft)
    return finish(tree, found, options, drafts, known, findings)


def read_file(tree: Tree, path: str, findings: list[Finding]) -> Draft | None:
    """One image's file; None, noted, where it cannot be used."""
    try:
        document = json.loads(tree.content(path, MAX_JSON).decode("utf-8-sig"))
        if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
            raise ValueError("no shapes")
    except Refused as error:
        findings.append(finding("error", error.code, path, **error.data))
        return None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else shown(str(error))
        findings.append(finding("error", "annotation_unreadable", path, file=shown(path), reason=reason))
        return None
    image = image_of(tree, path, document.get("imagePath"))
    if image is None:
        findings.append(finding("warning", "image_missing", path, image=shown(str(document.get("imagePath") or ""))))
        return None
    size = side(document.get("imageWidth")), side(document.get("imageHeight"))
    draft = Draft(image, None, path, size if all(size) else None)
    for line, shape in enumerate(document["shapes"], 1):
        made = shape_of(shape, line)
        if isinstance(made, Shape):
            draft.shapes.append(made)
        else:
            code, data = made
            findings.append(finding("warning", code, path, line, of=image, **data))
    return draft


def image_of(tree: Tree, path: str, named: Any) -> str | None:
    """The image beside the file by its stem; else the one that the file names."""
    folder, _, name = path.rpartition("/")
    hits = [hit for hit in tree.by_stem(stem_of(name)) if folder_of(hit) == folder]
    if len(hits) == 1:
        return hits[0]
    found = tree.image(named, folder) if isinstance(named, str) else None
    return found or tree.image(name, folder, by_stem=True)


def shape_of(shape: Any, line: int) -> Shape | tuple[str, dict[str, Any]]:
    """An object's shape, or code and data of what is wrong with it."""
    if not isinstance(shape, dict):
        return "object_no_box", {"name": ""}
    name, kind = shape.get("label"), shape.get("shape_type") or "polygon"
    if not isinstance(name, str) or not name.strip():
        return "object_unnamed", {"name": ""}
    name, points = name.strip(), points_of(shape.get("points"))
    if kind == "rectangle" and len(points) in {2, 4}:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return Shape("box", name, (min(xs), min(ys), max(xs), max(ys)), line)
    if kind in {"rotation", "oriented_rectangle"} and len(points) == 4:
        return Shape("turned", name, flat(points), line)
    if kind == "polygon" and len(points) > 2:
        return Shape("polygon", name, flat(points), line)
    if kind == "circle" and len(points) == 2:
        radius = math.dist(*points)
        return Shape("polygon", name, flat(ring(*points[0], radius, radius)), line)
    if kind in {"rectangle", "polygon", "circle", "rotation", "oriented_rectangle"}:
        return "object_no_box", {"name": shown(name)}
    return "shape_unsupported", {"shape": shown(str(kind)), "name": shown(name)}


def points_of(values: Any) -> Points:
    pairs = values if isinstance(values, list) else []
    return [(number(pair[0]), number(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) >= 2]


def flat(points: Points) -> tuple[float, ...]:
    return tuple(value for point in points for value in point)
