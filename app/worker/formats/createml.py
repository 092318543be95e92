"""CreateML: a JSON list of images, each with boxes by center and size in pixels."""

from typing import Any

from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts
from app.worker.formats.geometry import number
from app.worker.formats.jsonstream import walk
from app.worker.formats.model import DetectedDataset, Finding, Options, Source, finding
from app.worker.formats.paths import folder_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "createml")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts = []
    for path in detected.hint:
        split, line = split_in(path, detected.root, with_name=True), 0
        for _, entry in walk(tree, path):
            entry = entry if isinstance(entry, dict) else {}
            name = entry.get("image") or entry.get("imagefilename")
            objects = entry.get("annotations", entry.get("annotation"))
            objects = objects if isinstance(objects, list) else []
            image = tree.image(name, folder_of(path), split) if isinstance(name, str) else None
            if image is None:
                findings.append(finding("warning", "image_missing", path, image=printable_name(str(name or ""))))
                line += len(objects)
                continue
            draft = Draft(image, split or split_in(image, detected.root, False), path, None)
            for item in objects:
                line += 1
                add_object(item, line, draft, findings)
            drafts.append(draft)
    return convert_drafts(tree, detected, options, drafts, class_list, findings)


def add_object(item: Any, line: int, draft: Draft, findings: list[Finding]) -> None:
    """Add an object."""
    item = item if isinstance(item, dict) else {}
    name, coordinates = item.get("label"), item.get("coordinates")
    if not isinstance(name, str) or not name.strip():
        findings.append(finding("warning", "object_unnamed", draft.file, line, of=draft.image, name=""))
    elif not isinstance(coordinates, dict):
        findings.append(
            finding("warning", "object_no_box", draft.file, line, of=draft.image, name=printable_name(name))
        )
    else:
        x, y, width, height = (number(coordinates.get(key)) for key in ("x", "y", "width", "height"))
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        draft.shapes.append(DraftShape("box", name.strip(), box, line))
