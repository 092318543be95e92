"""Where the images and labels of a dataset are, and where each goes. Pure: works on the members' paths.

Known layouts, in one folder or several deep:
    images/{train,val,test}/…  labels/{train,val,test}/…      {train,valid,test}/images/…  {train,valid,test}/labels/…
    images/…  labels/…  (no split)
    {train,valid,test}/CLASS/…  without labels: a classification    CLASS/…  (no split; only where the form says so)
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.archive import Listing, Member
from app.services.storage.paths import shown

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
FOLDERS = {"image": "images", "label": "labels"}
VAL_SHARE = 0.2
SPLIT_SEED = 0
YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


@dataclass(slots=True)
class Place:
    """What a member's path says: `root` of its dataset, its split (None: not said), its path below that."""

    member: Member
    root: tuple[str, ...]
    split: str | None
    rest: tuple[str, ...]

    @property
    def stem(self) -> tuple[str, ...]:
        """What an image and its label have in common."""
        return (*self.rest[:-1], PurePosixPath(self.rest[-1]).stem)

    @property
    def target(self) -> str:
        """Its path in the stored dataset."""
        return "/".join((FOLDERS[self.member.kind], self.split or "train", *self.rest))


@dataclass
class Plan:
    """What is extracted to where, and what was decided on the way."""

    places: list[Place]
    yaml: Member | None
    images: dict[str, int]  # by split
    decisions: list[dict[str, Any]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # of a classification: the folders of its training images


def plan(listing: Listing, pause: Callable[[], None], task: str = "auto") -> Plan:
    """The extraction plan of a checked archive. `pause` is called once a member.

    Args:
        task: classify looks for folders of classes, auto does where there are no labels.

    Raises:
        Unprocessable: no known layout, or two files for one place.
    """
    found = [place for place in (locate(member, pause) for member in listing.members) if place]
    labelled = any(place.member.kind == "label" for place in found)
    classes = of_classes(listing, pause, task) if task == "classify" or (task == "auto" and not labelled) else []
    if classes or task == "classify":
        found = classes
    places, decisions = choose_root(found, pause)
    kinds = Counter(place.member.kind for place in places)
    if not kinds["image"] or not (kinds["label"] or classes):
        raise unknown_layout(listing)
    root = places[0].root
    note_left_out(listing, places, root)
    decisions += split_off(places)
    refuse_collisions(places, pause)
    images = Counter(place.split or "train" for place in places if place.member.kind == "image")
    counts = {name: images[name] for name in ("train", "val", "test")}
    made = Plan(places, find_yaml(listing, root), counts, decisions)
    if classes:
        name_classes(made, listing, task)
    return made


def name_classes(made: Plan, listing: Listing, task: str) -> None:
    """The classes of a classification, by the folders of its training images."""
    made.classes = sorted({place.rest[0] for place in made.places if place.split in {None, "train"}})
    if len(made.classes) < 2 and task == "auto":
        raise unknown_layout(listing)
    if len(made.classes) < 2:
        raise Unprocessable(_("A classification needs at least two folders of classes: train/CLASS/…, val/CLASS/…"))
    if task == "auto":
        made.decisions.append({"code": "task_found", "data": {"task": "classify"}})


def of_classes(listing: Listing, pause: Callable[[], None], task: str) -> list[Place]:
    """The images of a classification: in a folder of their class, which is in the folder of a split.

    Where no image is in a split, and only where the task is asked for, the innermost folder is the class.
    """
    images = [member for member in listing.members if member.kind == "image" and len(member.parts) > 1]
    found = [item for item in (of_class(member, pause) for member in images) if item]
    if found or task != "classify":
        return found
    return [Place(member, member.parts[:-2], None, member.parts[-2:]) for member in images]


def of_class(member: Member, pause: Callable[[], None]) -> Place | None:
    """The place of an image in `train/CLASS/…` or `images/train/CLASS/…`."""
    pause()
    folders = [part.casefold() for part in member.parts[:-1]]
    for index, folder in enumerate(folders[:-1]):
        if folder in SPLITS and folders[index + 1] not in FOLDERS.values():
            root = index - 1 if index and folders[index - 1] == "images" else index
            return Place(member, member.parts[:root], SPLITS[folder], member.parts[index + 1 :])
    return None


def locate(member: Member, pause: Callable[[], None]) -> Place | None:
    """What the path of an image or label says about its place; None where it says nothing."""
    pause()
    if member.kind not in FOLDERS:
        return None
    folders = [part.casefold() for part in member.parts[:-1]]
    at = [index for index, folder in enumerate(folders) if folder == FOLDERS[member.kind]]
    for index in reversed(at):  # the innermost folder beside a split's name
        if index + 1 < len(folders) and folders[index + 1] in SPLITS:
            return place(member, index, SPLITS[folders[index + 1]], index + 2)
        if index and folders[index - 1] in SPLITS:
            return place(member, index - 1, SPLITS[folders[index - 1]], index + 1)
    return place(member, at[0], None, at[0] + 1) if at else None


def place(member: Member, root: int, split: str | None, rest: int) -> Place:
    """A place, with inner folders that ultralytics would take for the dataset's own renamed."""
    inner = tuple(f"{part}_" if part.casefold() in FOLDERS.values() else part for part in member.parts[rest:-1])
    return Place(member, member.parts[:root], split, (*inner, member.parts[-1]))


def choose_root(found: list[Place], pause: Callable[[], None]) -> tuple[list[Place], list[dict[str, Any]]]:
    """Of several datasets in one archive, the outermost, largest complete one; the others are named."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for item in found:
        pause()
        counts.setdefault(item.root, Counter())[item.member.kind] += 1
    if len(counts) < 2:
        return found, []

    def rank(root: tuple[str, ...]) -> tuple[bool, int, int, tuple[str, ...]]:
        return (not (counts[root]["image"] and counts[root]["label"]), len(root), -counts[root]["image"], root)

    chosen, *others = sorted(counts, key=rank)
    data = {"root": "/".join(chosen) or "/", "others": ", ".join("/".join(root) or "/" for root in others[:20])}
    return [item for item in found if item.root == chosen], [{"code": "root_chosen", "data": data}]


def unknown_layout(listing: Listing) -> Unprocessable:
    """Says what was found and what is understood."""
    kinds = Counter(member.kind for member in listing.members)
    return Unprocessable(_(
        "The ZIP has no YOLO layout: %(images)s images and %(labels)s label files were found. Expected are "
        "images/train, images/val and labels/train, labels/val; or train/images, train/labels and valid/images, "
        "valid/labels; or images and labels. Each image has a label file of the same name that ends in .txt.",
        images=kinds["image"], labels=kinds["label"],
    ))  # fmt: skip


def note_left_out(listing: Listing, places: list[Place], root: tuple[str, ...]) -> None:
    """Count the images and texts that belong to no place; names lists beside labels are no labels."""
    stems = {place.stem for place in places if place.member.kind == "image"}
    places[:] = [place for place in places if place.rest[-1] != "classes.txt" or place.stem in stems]
    placed = {id(place.member) for place in places}
    for member in listing.members:
        if member.kind in FOLDERS and id(member) not in placed:
            listing.skip("outside", member.entry.name)


def split_off(places: list[Place]) -> list[dict[str, Any]]:
    """Where no validation images are given, take a fifth of the training images, the same ones each time.

    Images that share a label file stay together.
    """
    images = [item for item in places if item.member.kind == "image"]
    given = {item.split or "train" for item in images}
    if "train" not in given:
        raise Unprocessable(_("The ZIP has no training images (images/train or train/images)."))
    if "val" in given:
        return []
    stems = {item.stem for item in images if item.split in {None, "train"}}
    if len(stems) < 2:
        raise Unprocessable(_("One training image is not enough: at least one more is needed for validation."))
    ranked = sorted(stems, key=digest)
    chosen = set(ranked[: min(len(stems) - 1, max(1, round(VAL_SHARE * len(stems))))])
    for item in places:
        if item.split in {None, "train"} and item.stem in chosen:
            item.split = "val"
    moved = sum(item.split == "val" for item in images)
    return [{"code": "val_split", "data": {"moved": moved, "percent": round(100 * VAL_SHARE)}}]


def digest(stem: tuple[str, ...]) -> bytes:
    return hashlib.sha256(f"{SPLIT_SEED}:{'/'.join(stem)}".encode()).digest()


def refuse_collisions(places: Iterable[Place], pause: Callable[[], None]) -> None:
    """Two names that some systems take for one."""
    seen: dict[str, Place] = {}
    for item in places:
        pause()
        other = seen.setdefault(item.target.casefold(), item)
        if other is not item:
            raise Unprocessable(_("%(first)s and %(second)s would be the same file.",
                                  first=shown(other.member.entry.name),
                                  second=shown(item.member.entry.name)))  # fmt: skip


def find_yaml(listing: Listing, root: tuple[str, ...]) -> Member | None:
    """The data.yaml of the chosen root, else of the nearest folder above it."""
    for depth in range(len(root), -1, -1):
        here = [member for member in listing.members if member.kind == "yaml" and member.parts[:-1] == root[:depth]]
        if here:
            return min(here, key=lambda member: (rank_yaml(member.parts[-1]), member.parts[-1]))
    return None


def rank_yaml(name: str) -> int:
    return YAML_NAMES.index(name.lower()) if name.lower() in YAML_NAMES else len(YAML_NAMES)
