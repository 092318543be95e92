"""Makes a model file for another runtime and proves it against the .pt on the validation images.

spec.json is core.exports.ExportSpec. Says Verified with the figures, good or bad. Result: `size_bytes`, `model` (the
name of the file or folder below `made/`), `sha256` (of each file, by its path below `made/`), and details of its
making.
"""

import os
import shutil
import traceback
from pathlib import Path
from typing import Any

from app.core.exports import (
    BFLOAT16,
    EXACT,
    MOST_VERIFIED,
    PYTORCH,
    RESULT_FOLDER,
    STEM,
    ConversionDetails,
    ExportCurves,
    ExportResult,
    ExportSpec,
    LowerPrecision,
    Measurement,
    RunTimes,
    Verification,
)
from app.core.files import file_hash, sync_file
from app.events import Advanced, Event, Failed, Verified
from app.worker import run as worker
from app.worker.channel import Channel
from app.worker.exporting.followed import Followed
from app.worker.exporting.processes import NotLoadable, measured
from app.worker.failures import StopRequested, WeightsError, kind_of, sentence

# Where each part of the work begins, as a share of the whole.
STAGES = {"exporting": 0.0, "verifying": 0.3, "restoring": 0.9, "confirming": 0.97}
TOTAL = 1000  # what Advanced counts to


class AccuracyLost(Exception):
    """The export is not what the .pt is; `code` says in which way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Course:
    """Tells how far the work is.

    Args:
        images: that each measurement goes through.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel, self.images = channel, 0
        self.stage, self.done, self.total = "", 0, 0

    def enter(self, stage: str) -> None:
        self.stage, self.done, self.total = stage, 0, self.images
        self.report_progress()

    def through(self, batches: Any) -> "Followed":
        """The same batches of a calibration; each one consumed is a step of this stage."""
        self.done, self.total = 0, len(batches)
        return Followed(batches, self.step)

    def step(self) -> None:
        """One image more."""
        self.done += 1
        self.report_progress()

    def report_progress(self) -> None:
        """Report the progress of the export.

        Raises:
            StopRequested: the supervisor asked to stop.
        """
        if self.channel.stop_requested():
            raise StopRequested
        begin = STAGES[self.stage]
        end = min((share for share in STAGES.values() if share > begin), default=1.0)
        part = min(1.0, self.done / self.total) if self.total else 0.0
        self.channel.emit(Advanced(int(TOTAL * (begin + (end - begin) * part)), TOTAL, self.stage))


def run(channel: Channel) -> ExportResult:
    """Convert, measure both, judge."""
    os.nice(5)  # what trains comes first
    spec, directory, course = ExportSpec.of(channel.spec), channel.directory, Course(channel)
    from app.worker.exporting.control import has_control
    from app.worker.exporting.convert import convert
    from app.worker.exporting.images import sample_split
    from app.worker.exporting.verdict import as_good
    from app.worker.train import private_settings

    private_settings()
    weights = copy_weights(spec, directory)
    data, course.images = sample_split(Path(spec.data), "val", MOST_VERIFIED, directory / "verification")
    course.enter("exporting")
    model, details = convert(spec, weights, directory, course.through)
    course.enter("verifying")
    compared = [weights] if spec.format == PYTORCH else [weights, model]
    course.total *= len(compared)
    reference, *exports = measured(spec, compared, data, directory / "verifying", course.step)
    export = exports[0] if exports else reference
    if has_control(spec) and verdict_on(spec, reference, export)[1] == "accuracy_lost":
        report_verification(channel, spec, reference, export)  # figures that stay, should it take too long
        course.enter("restoring")
        if (controlled := restored(spec, weights, model, directory, course)) is not None:
            model, details = controlled
            course.enter("confirming")
            course.total *= 2
            reference, export = measured(spec, [weights, model], data, directory / "confirming", course.step)
    judge(channel, spec, reference, export)
    lower: LowerPrecision | None = None
    if "bf16" in export:
        lower = as_good(reference, export["bf16"], spec.allowed_loss)
    sync_files(directory / RESULT_FOLDER)
    result: ExportResult = {
        "model": model.name,
        "size_bytes": size(model),
        "sha256": hashes(directory / RESULT_FOLDER),
        "names": reference["names"],
        "parameters": parameters(weights, spec.task),
        **details,
    }
    if lower is not None:
        result["bfloat16"] = lower
    if spec.answers_as_weights:
        precisions = [EXACT] if lower is None else [EXACT, BFLOAT16]
        result["run_times"] = timed(spec, weights, model, precisions, data)
    return result


def restored(
    spec: ExportSpec, weights: Path, model: Path, directory: Path, course: Course
) -> tuple[Path, ConversionDetails] | None:
    """The export by accuracy control; None: it cannot be had, and what was lost stays lost."""
    from app.worker.exporting.control import restore

    original = directory / "int8"
    shutil.copytree(model, original)
    try:
        return restore(spec, weights, model, directory, course)
    except Exception as error:
        if isinstance(error, StopRequested) or kind_of(error) in {"out_of_memory", "disk_full"}:
            raise
        traceback.print_exception(error)
        shutil.rmtree(model, ignore_errors=True)
        original.rename(model)
        return None


def timed(spec: ExportSpec, weights: Path, model: Path, precisions: list[str], data: Path) -> RunTimes | None:
    """How fast it is beside the .pt; None: that cannot be had, and the export is none the worse."""
    from app.worker.exporting.images import images_of
    from app.worker.exporting.run_times import run_times
    from app.worker.serving.engines import Export

    files = hashes(model)
    exports = [Export(str(model), files, spec.task, spec.img_size, precision) for precision in precisions]
    try:
        return run_times(weights, exports, images_of(data))
    except Exception:
        traceback.print_exc()
        return None


def parameters(weights: Path, task: str) -> int:
    """How many the model has."""
    from ultralytics import YOLO

    from app.worker.loading import loading

    with loading(weights):
        model: Any = YOLO(str(weights), task=task).model
    return sum(tensor.numel() for tensor in model.parameters())


def copy_weights(spec: ExportSpec, directory: Path) -> Path:
    """The weights under the name that the export gets, in a folder that may be written.

    Raises:
        WeightsError: they are not those that were asked for any more.
    """
    target = directory / "weights" / f"{STEM}.pt"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(spec.weights, target)
    if file_hash(target) != spec.sha256:
        raise WeightsError("the weights have changed")
    return target


def judge(channel: Channel, spec: ExportSpec, reference: Measurement, export: Measurement) -> None:
    """Report how accurate the export is, and refuse one that lost too much.

    Raises:
        AccuracyLost: it must not be offered.
    """
    verification, wrong = report_verification(channel, spec, reference, export)
    if wrong:
        raise AccuracyLost(wrong, f"mAP50-95 {verification['map95']} against {verification['reference']['map95']}")


def report_verification(
    channel: Channel, spec: ExportSpec, reference: Measurement, export: Measurement
) -> tuple[Verification, str | None]:
    """As `verdict_on`, with an event."""
    verification, wrong = verdict_on(spec, reference, export)
    channel.emit(Verified(verification, curves_without_classes(export)))
    return verification, wrong


def verdict_on(spec: ExportSpec, reference: Measurement, export: Measurement) -> tuple[Verification, str | None]:
    """The verification, and why it must not be offered."""
    from app.worker.exporting.verdict import verify

    comparison, wrong = verify(reference, export, bool(spec.arguments.get("int8")), spec.allowed_loss)
    return {**comparison, "batch": spec.batch}, wrong


def curves_without_classes(export: Measurement) -> ExportCurves | None:
    """The mean curves; None where it has none."""
    curves = export["curves"]
    if not curves:
        return None
    return {
        "x": curves["x"],
        "precision": curves["precision"],
        "recall": curves["recall"],
        "f1": curves["f1"],
        "best": curves["best"],
    }


def files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]


def size(path: Path) -> int:
    return sum(item.stat().st_size for item in files_of(path))


def sync_files(path: Path) -> None:
    """Flush a file, or every file of a folder, to the disk before the export is reported as there."""
    for item in files_of(path):
        sync_file(item)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 by path, by which a damaged file is detected."""
    return {
        path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def ending(error: BaseException, channel: Channel) -> Event:
    """Failures of an export have codes of their own."""
    text = "".join(traceback.format_exception(error))[-worker.MOST :]
    if isinstance(error, AccuracyLost):
        return Failed(error.code, sentence(error))
    if isinstance(error, NotLoadable):
        return Failed("not_loadable", sentence(error), text)
    if isinstance(error, Exception) and kind_of(error) == "code" and not isinstance(error, StopRequested):
        return Failed("not_exportable", sentence(error), text)
    return worker.ending(error, channel)
