"""Builds a version of a dataset from its raw files, which are extracted or copied first if they have just arrived.

`spec.json`: see `ImportSpec`; of an existing version, the index alone can be rebuilt. Emits Planned once the contents
are known, and Advanced; result: `ImportResult`, or the fields of Planned if only these are requested. The contents of
files below `source/` never change.
"""

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from app.core.imports import NOT_ACCEPTED, ImportSpec, SkippedFiles
from app.core.report import Decision
from app.core.unread import why_no_labels
from app.events import Planned
from app.worker import classes, formats
from app.worker.assign import Material
from app.worker.build import INDEX, Building
from app.worker.channel import Channel
from app.worker.decoders import DecodeLimits, set_limits
from app.worker.failures import InvalidInput, TakesLong
from app.worker.formats import DisplayedSize, Source
from app.worker.importing.adopt import link_source
from app.worker.importing.entries import EntryMaker, images_of, original_names
from app.worker.importing.incoming_files import SOURCE, IncomingFiles
from app.worker.importing.outcome import ImportOutcome
from app.worker.importing.recipe import Recipe
from app.worker.importing.reporter import Reporter
from app.worker.objects import Objects
from app.worker.partition import check_trainable, partition
from app.worker.quality import (
    AppliedFixes,
    Entry,
    Examination,
    ImageRecord,
    Report,
    Scan,
    ScanSpec,
    TooCostlyTogether,
    apply_fixes,
    examine,
)

CONVERTED = "converted"  # a folder for images that are stored in another format, until they are objects
# longest time for which threads that feed decoders wait for the one that extracts and reads; Python's default is 5 ms
SWITCH_S = 0.0005
LOCATION_WAIT_S = 600.0  # until the web process has moved the files


def run(channel: Channel) -> Mapping[str, object]:
    os.nice(10)  # every core is used, but requests and trainings have priority
    sys.setswitchinterval(SWITCH_S)
    spec = ImportSpec.of(channel.spec)
    os.chdir(spec.dataset)  # the folder is renamed during the import, so paths are relative to it
    dataset_import = DatasetImport(channel, spec)
    try:
        return dataset_import.run()
    except TooCostlyTogether as error:
        if spec.hurry:
            dataset_import.wait_for_location()  # its request is answered first
            raise TakesLong(str(error)) from error
        raise InvalidInput("images_costly", seconds=round(error.limit)) from error


class DatasetImport:
    """One import, from the files to the result."""

    def __init__(self, channel: Channel, spec: ImportSpec) -> None:
        self.channel, self.spec = channel, spec
        self.reporter = Reporter(channel)
        self.recipe = Recipe(**spec.options)
        self.dataset = Path(spec.dataset)
        self.objects = Objects(Path(spec.objects))
        # While another job imports the same dataset, an index is built in its own job's folder.
        self.converted = channel.directory / CONVERTED if spec.index_of else Path(CONVERTED)
        limits = DecodeLimits.of(spec.max_pixels, spec.decode_seconds)
        set_limits(limits)
        self.scanning = ScanSpec(
            spec.max_pixels, Path("thumbnails"), converted=self.converted, limits=limits, hurry=spec.hurry
        )
        self.decisions: list[Decision] = []
        self.source_names: list[str] = []
        self.began = time.monotonic()

    def run(self) -> Mapping[str, object]:
        if self.spec.adopt:
            link_source(self.dataset)
        shutil.rmtree(self.converted, ignore_errors=True)  # of an interrupted attempt
        with Scan(self.scanning) as scan:
            source, planned = self.first_verdict(scan)
            if self.spec.verdict_only:
                return asdict(planned)
            paths = [SOURCE / item.image for item in source.items]
            self.reporter.report("scanning", 0, len(paths))
            pictures = list(scan.pictures(paths, self.reporter.stage("scanning")))  # each is read once
        source, pictures = self.read_again(source, pictures)
        self.decisions += source.decisions
        self.wait_for_location()
        return self.create_revision(source, pictures)

    def first_verdict(self, scan: Scan) -> tuple[Source, Planned]:
        """Detect the format and emit Planned. Images are read while others are still being extracted."""

        def begin(name: str) -> None:
            if not self.spec.verdict_only:
                scan.begin(SOURCE / name)

        arrival = IncomingFiles(self.spec, self.reporter.stage("extracting"), begin)
        arrival.fetch()
        self.began = time.monotonic()
        self.reporter.report("reading", 0, 0)
        try:
            source = self.read_files({})
        except InvalidInput as error:
            raise explained(error, arrival.unpacked.skipped) from None
        check_trainable(source)
        arrival.wait_until_synced()
        planned = Planned(
            source.format,
            source.root,
            len(source.items),
            source.names,
            source.task,
            source.decisions,
            **vars(arrival.unpacked),
        )
        self.channel.emit(planned)
        return source, planned

    def read_files(self, pictures: Mapping[str, DisplayedSize]) -> Source:
        """The source with the recipe's names; `pictures` see `formats.read`."""
        options = self.recipe.choices(self.spec.limits.max_classes)
        detected = formats.choose(formats.detect(SOURCE, options.task), options)
        source = formats.read(SOURCE, detected, options, pictures)
        classes.set_names(source, SOURCE, self.recipe.names)
        classes.ungarble(source, SOURCE)
        self.source_names = source.names
        classes.rename(source, SOURCE, self.recipe.rename)
        return source

    def read_again(self, source: Source, pictures: list[ImageRecord]) -> tuple[Source, list[ImageRecord]]:
        """Read the annotations again with the actual image sizes, if images are rotated or differ from their declared
        size. Nearly all datasets do not need this.
        """
        pictures_by_name = {item.image: picture for item, picture in zip(source.items, pictures, strict=True)}
        displayed = {
            name: DisplayedSize((picture.width, picture.height), picture.orientation)
            for name, picture in pictures_by_name.items()
            if picture.width and picture.height
        }
        disputed = formats.disputed_sizes(source, displayed)
        if not disputed:
            return source, pictures
        source = self.read_files(disputed)
        return source, [pictures_by_name[item.image] for item in source.items]

    def wait_for_location(self) -> None:
        """Wait until the files are at their final location.

        Raises:
            TimeoutError: the server did not create the dataset.
        """
        if not self.spec.staged:
            return
        limit = time.monotonic() + LOCATION_WAIT_S
        location_file = self.channel.directory / "placed"
        while not location_file.exists():
            if time.monotonic() > limit:
                raise TimeoutError(NOT_ACCEPTED)
            self.reporter.go_on()
            time.sleep(0.005)
        self.dataset = Path(json.loads(location_file.read_text(encoding="utf-8"))["dataset"])

    def create_revision(self, source: Source, pictures: list[ImageRecord]) -> Mapping[str, object]:
        """Build the version."""
        self.reporter.report("checking", 0, len(pictures))  # it begins with the split and with storing the images
        originals, folder = original_names(self.dataset), self.dataset / "source"
        division = partition(source.items, pictures, self.recipe.shares, folder, originals, source.names)
        self.decisions += division.decisions
        maker = EntryMaker(self.dataset, self.objects, originals, images_of(self.decisions), self.reporter)
        entries = maker.create_entries(source, pictures, division)
        source.items.clear()
        self.report_converted(pictures)
        entries, effects = self.fix(source, entries)
        outcome = ImportOutcome(self.spec.number, source, self.decisions, maker.names_of_images, self.source_names)
        result = self.build(source, entries, division.material, outcome)
        seconds = round(time.monotonic() - self.began, 3)
        return outcome.result(*result, effects, seconds)

    def report_converted(self, pictures: list[ImageRecord]) -> None:
        """Report what was done with images in formats that training may not read."""
        kinds = Counter(
            finding["data"]["format"]
            for picture in pictures
            if picture.stored
            for finding in picture.findings
            if finding["code"] == "image_converted"
        )
        for kind, count in sorted(kinds.items()):
            self.decisions.append(formats.decision("images_converted", count=count, format=kind))
        shutil.rmtree(self.dataset / self.converted, ignore_errors=True)  # they are stored as objects now

    def fix(self, source: Source, entries: list[Entry]) -> tuple[list[Entry], list[AppliedFixes]]:
        """Apply the requested fixes."""
        if not self.spec.fixes:
            return entries, []

        def store(content: bytes, suffix: str) -> Path:
            return self.objects.add(lambda draft: draft.write_bytes(content))[0]

        return apply_fixes(entries, self.spec.fixes, self.examination(source, entries), store, self.scanning)

    def examination(self, source: Source, entries: list[Entry]) -> Examination:
        return Examination(
            names=source.names,
            task=source.task,
            keypoints=source.keypoints,
            image_size=self.spec.image_size,
            max_classes=self.spec.limits.max_classes,
            max_findings=self.spec.max_findings,
            orphans=[],
            findings=source.findings,
        )

    def build(
        self, source: Source, entries: list[Entry], material: Material, outcome: ImportOutcome
    ) -> tuple[list[str], Report, Path, str, int]:
        """Check the entries and build the tree: class names, report, index, hash, bytes."""
        target = self.dataset / "revisions" / str(self.spec.number)
        with Building(self.channel.directory / "revision" if self.spec.index_of else target) as building:
            index = building.folder / INDEX
            checking = self.reporter.stage("checking")
            report = examine(entries, self.examination(source, entries), index, checking)
            names = outcome.final_names(report)
            total, progress = len(entries), self.reporter.stage("building")
            building.fill(entries, report.task == "classify", lambda done: progress(done, total))
            building.describe(names, source.keypoints)
            material.save(building.folder)
            expected = self.spec.index_of
            digest = building.install_index(target, expected) if expected else building.finish()
        return names, report, target / INDEX, digest, building.size


def explained(error: InvalidInput, skipped: SkippedFiles) -> InvalidInput:
    """The reason why no labels were found, with the files that may have been meant."""
    why = why_no_labels(skipped) if error.code in {"no_labels", "no_layout"} else None
    return InvalidInput(why["code"], **why["data"]) if why else error
