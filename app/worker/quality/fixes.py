"""Applies fixes while one version is built from another. Existing files are not changed."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from app.worker.decoders import OverLimit, allow_for, confined
from app.worker.orientation import BY_PILLOW, orientation, upright
from app.worker.picture import eight_bit
from app.worker.quality.examine import Examination, infer_task_of
from app.worker.quality.fixable import FIXABLE
from app.worker.quality.grouping import together
from app.worker.quality.header import READABLE, SUFFIXES, open_image
from app.worker.quality.label_origins import content, differ
from app.worker.quality.model import Entry
from app.worker.quality.repair import repair
from app.worker.quality.revision_checks import leaking
from app.worker.quality.scan import ScanSpec, read_picture

FILES = 20  # named per fix
SAVED = ("image_format", "image_unread", "image_flat", "exif_rotated")  # fixes that encode the image again
USELESS = ("image_broken", "image_too_large", "image_too_small")

Store = Callable[[bytes, str], Path]


@dataclass
class AppliedFixes:
    """The effect of one fix: `images` changed, moved or dropped, `rows` changed or dropped, the first FILES `files`; of
    the images, `emptied` were excluded because none of their rows could be repaired. `unsaved` images are unchanged,
    since encoding them takes too much time or memory; the first FILES are named.
    """

    code: str
    images: int = 0
    rows: int = 0
    files: list[str] = field(default_factory=list)
    emptied: int = 0
    unsaved: int = 0
    unsaved_files: list[str] = field(default_factory=list)

    def note_unsaved(self, file: str) -> None:
        self.unsaved += 1
        if len(self.unsaved_files) < FILES:
            self.unsaved_files.append(file)

    def note(self, file: str, images: int = 0, rows: int = 0, emptied: int = 0) -> None:
        self.images += images
        self.rows += rows
        self.emptied += emptied
        if len(self.files) < FILES and file not in self.files:
            self.files.append(file)


def apply_fixes(
    entries: list[Entry],
    codes: list[str] | str,
    spec: Examination,
    store: Store,
    scanning: ScanSpec | None = None,
) -> tuple[list[Entry], list[AppliedFixes]]:
    """The entries of the next version, and the effects of the fixes.

    Args:
        entries: of the base; not modified.
        codes: of FIXABLE, or "all".
        spec: as for `examine`. Fixed orphaned labels are removed from its `orphans` and `findings`, since the version
            does not contain them.
        store: stores the bytes of a new image file with this suffix (".jpg") as an object; returns its path.
        scanning: options for reading the new image files; None: as they are, without thumbnails.

    An entry with a repaired label has `text` instead of `label`; one with a re-encoded image has another `image`,
    `picture` and `name`; a moved one has another `split`. Dropped entries are removed, including those that lost all
    rows: a labeled image must not become a background image.
    """
    fixes = Fixes(set(FIXABLE if codes == "all" else FIXABLE.intersection(codes)), spec, store, scanning)
    fixes.names |= {entry.name.casefold() for entry in entries}
    fixes.drop_orphans()
    remaining = [entry for entry in entries if not fixes.useless(entry)]
    remaining = [fixes.picture(entry) for entry in remaining]
    task = spec.task or infer_task_of(remaining, spec)
    if task != "classify":
        remaining = [repaired for entry in remaining if (repaired := fixes.label(entry, task))]
    remaining = fixes.join_leaks(remaining)
    remaining = fixes.drop_repeated(remaining)
    return remaining, sorted(fixes.applied.values(), key=lambda fix: fix.code)


class Fixes:
    """The requested fixes, and their effects."""

    def __init__(self, codes: set[str], spec: Examination, store: Store, scanning: ScanSpec | None) -> None:
        self.codes, self.spec, self.store = codes, spec, store
        self.scanning = scanning or ScanSpec(max_pixels=10**9)
        self.applied: dict[str, AppliedFixes] = {}
        self.names: set[str] = set()  # of images; over all splits, since images move

    def note(self, code: str, file: str, images: int = 0, rows: int = 0, emptied: int = 0) -> None:
        self.applied.setdefault(code, AppliedFixes(code)).note(file, images, rows, emptied)

    def drop_orphans(self) -> None:
        if "label_orphan" not in self.codes:
            return
        files = [item["file"] for item in self.spec.findings if item["code"] == "label_orphan"]
        for file in [*self.spec.orphans, *files]:
            self.note("label_orphan", file or "?")
        self.spec.orphans.clear()
        self.spec.findings[:] = [item for item in self.spec.findings if item["code"] != "label_orphan"]

    def useless(self, entry: Entry) -> bool:
        """Whether an image is dropped that YOLO could not use anyway."""
        codes = {item["code"] for item in entry.picture.findings} & self.codes
        code = next((code for code in USELESS if code in codes), None)
        if code:
            self.note(code, entry.file, images=1)
        return code is not None

    def picture(self, entry: Entry) -> Entry:
        """The image with the right suffix, upright, in a format that YOLO supports."""
        codes = {item["code"] for item in entry.picture.findings} & self.codes
        if code := next((code for code in SAVED if code in codes), None):
            entry = self.saved(entry, code)
        if "image_disguised" in codes and entry.picture.format in SUFFIXES:
            suffix = min(SUFFIXES[entry.picture.format], key=len)
            self.note("image_disguised", entry.file, images=1)
            findings = [item for item in entry.picture.findings if item["code"] != "image_disguised"]
            entry = replace(
                entry, name=self.renamed(entry.name, suffix), picture=replace(entry.picture, findings=findings)
            )
        return entry

    def saved(self, entry: Entry, code: str) -> Entry:
        """The image encoded again: upright, as JPEG if it was one, otherwise as PNG; unchanged if that takes too many
        resources.
        """
        form = "JPEG" if entry.picture.format in {"JPEG", "MPO"} else "PNG"
        try:
            body, suffix = confined(recoded, entry.image, form)
            path = self.store(body, suffix)
            picture = confined(read_picture, path, self.scanning.max_pixels, self.scanning.thumbnails, suffix)
        except OverLimit:
            self.applied.setdefault(code, AppliedFixes(code)).note_unsaved(entry.file)
            return entry
        self.note(code, entry.file, images=1)
        right = SUFFIXES[picture.format]
        name = entry.name if Path(entry.name).suffix.lower() in right else self.renamed(entry.name, suffix)
        return replace(entry, name=name, image=path, picture=picture)

    def renamed(self, name: str, suffix: str) -> str:
        """The name with another suffix, unused by other images."""
        stem, number = name.rpartition(".")[0], 1
        new = f"{stem}{suffix}"
        while new.casefold() in self.names:
            number += 1
            new = f"{stem}_{number}{suffix}"
        self.names.add(new.casefold())
        return new

    def label(self, entry: Entry, task: str) -> Entry | None:
        """The label with repaired rows; None: none could be repaired, and the image is excluded."""
        raw = content(entry)
        repaired = repair(raw, self.spec.rules, self.codes, task) if raw else None
        if repaired is None:
            return entry
        for code, count in repaired.counts.items():
            self.note(code, entry.label_file, rows=count, images=int(repaired.emptied), emptied=int(repaired.emptied))
        if repaired.emptied:
            return None
        text = "".join(f"{row}\n" for _, row in repaired.rows)
        origins = [entry.origins[line - 1] for line, _ in repaired.rows] if entry.origins else None
        return replace(entry, label=None, text=text, origins=origins)

    def join_leaks(self, entries: list[Entry]) -> list[Entry]:
        """Move related images to one split, keeping the sizes of the splits similar."""
        leaks = [(code, group) for code, group in leaking(entries) if code in self.codes]
        # the first kind takes precedence
        code_of = {id(entry): code for code, group in reversed(leaks) for entry in group}
        if not code_of:
            return entries
        moves = together(entries, code_of)
        for entry in entries:
            if id(entry) in moves:
                self.note(code_of.get(id(entry)) or next(iter(code_of.values())), entry.file, images=1)
        return [replace(entry, split=moves[id(entry)]) if id(entry) in moves else entry for entry in entries]

    def drop_repeated(self, entries: list[Entry]) -> list[Entry]:
        """Of byte-identical images in one split, keep the one with the most rows."""
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            if entry.picture.sha256:
                groups.setdefault((entry.split, entry.picture.sha256), []).append(entry)
        dropped: set[int] = set()
        for group in (group for group in groups.values() if len(group) > 1):
            best = max(group, key=lambda entry: len((content(entry) or b"").split(b"\n")))
            for entry in group:
                code = "duplicate_conflict" if differ(entry, best) else "duplicate_image"
                if entry is not best and code in self.codes:
                    dropped.add(id(entry))
                    self.note(code, entry.file, images=1)
        return [entry for entry in entries if id(entry) not in dropped]


def recoded(path: Path, form: str) -> tuple[bytes, str]:
    """The image upright, encoded in this format; and its suffix."""
    with open_image(path, formats=READABLE) as image:
        allow_for(image.width * image.height)
        image.load()
        turn = 1 if image.format in BY_PILLOW else orientation(image)
        return encoded(eight_bit_colours(upright(image, turn)), form, image.info.get("icc_profile"))


def eight_bit_colours(image: Image.Image) -> Image.Image:
    """8 bits per channel, in a color mode that every decoder supports."""
    image = eight_bit(image)
    return image if image.mode in {"L", "RGB", "RGBA", "P", "LA", "1"} else image.convert("RGB")


def encoded(image: Image.Image, form: str, profile: bytes | None) -> tuple[bytes, str]:
    """An encoded image and its suffix; a JPEG with no visible loss."""
    buffer = io.BytesIO()
    if form == "JPEG":
        image.save(buffer, "JPEG", quality=95, subsampling=0, icc_profile=profile)
        return buffer.getvalue(), ".jpg"
    image.info.clear()
    image.save(buffer, "PNG", icc_profile=profile)
    return buffer.getvalue(), ".png"
