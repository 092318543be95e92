"""Creates a model file for another runtime and verifies it against the .pt on the validation images.

spec.json is core.exports.ExportSpec. Emits Verified with the measurements, good or bad. Result: `size_bytes`, `model`
(the name of the file or folder below `made/`), `sha256` (of each file, by its path below `made/`), and details of the
conversion.
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

# The share of the entire work before each stage.
STAGES = {"exporting": 0.0, "verifying": 0.3, "restoring": 0.9, "confirming": 0.97}
TOTAL = 1000  # the total of Advanced events


class AccuracyLost(Exception):
    """The export is not equivalent to the .pt; `code`: in which respect."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Course:
    """Reports the progress of an export.

    Args:
        images: per measurement.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel, self.images = channel, 0
        self.stage, self.done, self.total = "", 0, 0

    def enter(self, stage: str) -> None:
        self.stage, self.done, self.total = stage, 0, self.images
        self.report_progress()

    def through(self, batches: Any) -> "Followed":
        """The batches of a calibration; each consumed batch is a step of this stage."""
        self.done, self.total = 0, len(batches)
        return Followed(batches, self.step)

    def step(self) -> None:
        """Count an image."""
        self.done += 1
        self.report_progress()

    def report_progress(self) -> None:
        """Report the progress of the export.

        Raises:
            StopRequested: a stop was requested.
        """
        if self.channel.stop_requested():
            raise StopRequested
        begin = STAGES[self.stage]
        end = min((share for share in STAGES.values() if share > begin), default=1.0)
        part = min(1.0, self.done / self.total) if self.total else 0.0
        self.channel.emit(Advanced(int(TOTAL * (begin + (end - begin) * part)), TOTAL, self.stage))


def run(channel: Channel) -> ExportResult:
    """Convert, measure both, judge."""
    os.nice(5)  # trainings have priority
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
        report_verification(channel, spec, reference, export)  # recorded now, in case the following takes too long
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
    """The export by accuracy control; None: that failed too."""
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
    """Its latency beside the .pt; None: it could not be measured, which does not affect the export."""
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
    """The number of the model's parameters."""
    from ultralytics import YOLO

    from app.worker.loading import loading

    with loading(weights):
        model: Any = YOLO(str(weights), task=task).model
    return sum(tensor.numel() for tensor in model.parameters())


def copy_weights(spec: ExportSpec, directory: Path) -> Path:
    """Copy the weights under the name for the export, to a writable folder.

    Raises:
        WeightsError: they have changed since the request.
    """
    target = directory / "weights" / f"{STEM}.pt"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(spec.weights, target)
    if file_hash(target) != spec.sha256:
        raise WeightsError("the weights have changed")
    return target


def judge(channel: Channel, spec: ExportSpec, reference: Measurement, export: Measurement) -> None:
    """Report the accuracy of the export, and reject one that lost too much.

    Raises:
        AccuracyLost: it is rejected.
    """
    verification, wrong = report_verification(channel, spec, reference, export)
    if wrong:
        raise AccuracyLost(wrong, f"mAP50-95 {verification['map95']} against {verification['reference']['map95']}")


def report_verification(
    channel: Channel, spec: ExportSpec, reference: Measurement, export: Measurement
) -> tuple[Verification, str | None]:
    """As `verdict_on`, and emit an event."""
    verification, wrong = verdict_on(spec, reference, export)
    channel.emit(Verified(verification, curves_without_classes(export)))
    return verification, wrong


def verdict_on(spec: ExportSpec, reference: Measurement, export: Measurement) -> tuple[Verification, str | None]:
    """The verification, and the reason for a rejection."""
    from app.worker.exporting.verdict import verify

    comparison, wrong = verify(reference, export, bool(spec.arguments.get("int8")), spec.allowed_loss)
    return {**comparison, "batch": spec.batch}, wrong


def curves_without_classes(export: Measurement) -> ExportCurves | None:
    """The mean curves; None if there are none."""
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
    """Sync a file, or every file of a folder, before the export is reported as complete."""
    for item in files_of(path):
        sync_file(item)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 by path, for detecting damaged files."""
    return {
        path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def ending(error: BaseException, channel: Channel) -> Event:
    """The terminal event; failures of an export have their own codes."""
    text = "".join(traceback.format_exception(error))[-worker.MOST :]
    if isinstance(error, AccuracyLost):
        return Failed(error.code, sentence(error))
    if isinstance(error, NotLoadable):
        return Failed("not_loadable", sentence(error), text)
    if isinstance(error, Exception) and kind_of(error) == "code" and not isinstance(error, StopRequested):
        return Failed("not_exportable", sentence(error), text)
    return worker.ending(error, channel)
