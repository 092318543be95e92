"""The server's responses, as types for editors and type checkers. A later server may send more fields than these.

Times are ISO 8601 in UTC, sizes in bytes; None where the server has no value (yet).
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

Row = dict[str, object]  # some fields of a response, to print

Counted = TypedDict("Counted", {"class": str, "detections": int, "tracks": int}, total=False)
ClassConfidence = TypedDict("ClassConfidence", {"class": str, "confidence": float})


class _ByTask(TypedDict, total=False):
    polygon: list[list[float]]
    corners: list[list[float]]  # of an oriented box
    keypoints: list[list[float]]  # x, y, confidence
    top5: list[ClassConfidence]  # of a classification


class Detection(_ByTask, ClassConfidence):
    """A detected object; px of the upright image."""

    bbox: list[float]  # x1, y1, x2, y2
    center: list[float]
    area: float


class FieldError(TypedDict):
    """An invalid field of the request."""

    field: str
    message: str


class Problem(TypedDict, total=False):
    """An error response: problem+json (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError]


class Progress(TypedDict):
    """The progress of work, in its own units."""

    stage: str | None
    done: int
    total: int  # 0: unknown
    percent: float | None
    rate: float | None  # per second
    eta: float | None  # s


class Failure(TypedDict):
    """Why work failed."""

    code: str
    message: str


class Original(TypedDict):
    """An upload's file as it was sent."""

    name: str
    bytes: int


class LeftOut(TypedDict):
    """Images of a dataset that are not used."""

    code: str
    count: int
    message: str


class Summary(TypedDict):
    """What a training will use of a dataset."""

    used: int
    total: int
    left_out: list[LeftOut]


class ImportProgress(TypedDict):
    """The progress of a dataset's validation: `done` and `total` of the stage, `percent` and `eta` (s) of the whole."""

    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None
    revision: int


class Dataset(TypedDict):
    """GET /api/datasets/<id>."""

    id: int
    name: str
    description: str | None
    classes: list[str]
    total_images: int
    train_images: int
    val_images: int
    test_images: int
    status: str
    created_at: str
    updated_at: str
    task: str
    size_bytes: int
    error: str | None
    report: Mapping[str, object]
    revision: int | None
    format: str | None
    original: Original | None
    samples: list[str]
    summary: Summary | None
    needs_review: bool
    progress: ImportProgress | None
    trainings: int
    trashed: int
    damaged: list[str]
    created_by: int | None
    shared: bool


class Effect(TypedDict):
    """What a fix changed in a version of a dataset."""

    code: str
    title: str
    message: str
    images: int
    rows: int
    emptied: int
    files: list[str]
    unsaved: int
    unsaved_files: list[str]


class Revision(TypedDict):
    """A version of a dataset."""

    number: int
    status: str
    current: bool
    hash: str | None
    origin: Mapping[str, object]
    options: Mapping[str, object]
    classes: list[str]
    task: str
    format: str | None
    total_images: int
    train_images: int
    val_images: int
    test_images: int
    size_bytes: int
    error: str | None
    summary: Summary | None
    effects: list[Effect]
    trainings: list[int]
    created_at: str


class Metrics(TypedDict):
    """The figures of an epoch; a message has those of its kind of training."""

    epoch: int
    loss: float | None
    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    val_loss: float | None
    learning_rate: float | None
    timestamp: str
    parts: dict[str, float | None]
    seconds: float | None
    fitness: float | None
    timing: dict[str, float]
    classes: list[Mapping[str, object]]


class Note(TypedDict):
    """A decision or an incident."""

    code: str
    message: str


class _WaitingDetails(TypedDict, total=False):
    training_id: int
    name: str
    ahead: int
    until: str
    free: int
    needed: int
    device: str


class Waiting(_WaitingDetails):
    """The reason why a training is waiting."""

    code: str
    message: str


class Training(TypedDict):
    """GET /api/trainings/<id>."""

    id: int
    name: str
    dataset_id: int
    dataset_name: str
    model_version: str
    epochs: int
    batch_size: int
    img_size: int
    learning_rate: float | None
    status: str
    current_epoch: int
    total_epochs: int | None
    start_time: str | None
    end_time: str | None
    model_path: str | None
    config_path: str | None
    log_path: str | None
    created_at: str
    updated_at: str
    created_by: int | None
    shared: bool
    params: Mapping[str, object]
    device: str | None
    weights: str | None
    notes: list[Note]
    error: str | None
    error_kind: str | None
    eta: float | None
    duration: float | None
    training_seconds: float
    stop_requested: bool
    downloadable: bool
    evaluated: bool
    best: Metrics | None
    progress: "TrainingProgress"
    level: str | None
    seq: int
    task: str
    architecture: str | None
    start: Mapping[str, object]
    cloned_from: int | None
    revision: int | None
    dataset_revision: str | None
    thresholds: Mapping[str, object] | None
    important: bool
    deleted_at: str | None
    priority: int
    position: int
    start_not_before: str | None
    waiting_for: Waiting | None
    devices: list[str] | None
    pause_requested: bool
    pause_reason: str | None
    restarts: int
    halvings: int
    batch_now: int | None
    extensions: list[Mapping[str, object]]
    resumable: bool
    actions: list[str]


class TrainingProgress(TypedDict, total=False):
    """The batch of the present epoch, or the stage before or after the batches; `fraction`: 0 to 1 of the run."""

    stage: str
    epoch: int
    batch: int
    batches: int
    loss: float | None
    parts: dict[str, float | None]
    name: str
    received: int
    total: int
    fraction: float


class _ActionDetails(TypedDict, total=False):
    epochs: int  # of extend: the new total
    schedule: str
    learning_rate: Mapping[str, float | None]


class Acted(_ActionDetails):
    """The response to an action on a training."""

    message: str
    training_id: int
    status: str


class Deleted(TypedDict):
    """A training in the trash; `until`: when it can no longer be restored; None: it was deleted permanently."""

    message: str
    training_id: int
    until: str | None


class Gpu(TypedDict):
    """A GPU during a run: percent, bytes, °C, W; None: not reported."""

    index: int
    name: str
    utilization: float | None
    memory_used: int | None
    memory_total: int | None
    temperature: float | None
    power: float | None


class Event(TypedDict, total=False):
    """A live event of a training: each has some of these fields.

    `ok`, `error` and `training`: of the initial snapshot; `epoch` and `metrics`: of `training_update`; `progress`: of
    `training_progress`; `gpus`: of `training_system`; `final_metrics`: of `training_completed`.
    """

    ok: bool
    error: str
    training_id: int
    seq: int
    training: Training
    status: str
    progress: TrainingProgress
    eta: float | None
    current_epoch: int
    total_epochs: int | None
    epoch: int
    metrics: Mapping[str, float | None]
    gpus: list[Gpu]
    final_metrics: Mapping[str, float | None]


class _TestDetails(TypedDict, total=False):
    weaker: list[Detection]
    width: int
    height: int
    task: str
    checkpoint: str | None
    floor: float | None
    filename: str


class Test(_TestDetails):
    """A stored test: what a model detected in an image. Times in ms."""

    test_id: int
    detections: list[Detection]
    inference_time: float | None
    total_time: float | None
    image_url: str


class _Labels(TypedDict, total=False):
    labels: list[str]  # with format="yolo"


class Prediction(_Labels):
    """What a model detected in an image; it is not stored."""

    training_id: int
    detections: list[Detection]
    width: int
    height: int
    task: str
    confidence: float
    iou: float
    classes: dict[str, float]
    engine: str
    engine_note: str | None
    device: str
    precision: str
    batch: int
    speed_ms: dict[str, float]


class File(TypedDict):
    """A file of a prediction."""

    name: str
    size_bytes: int
    url: str


class Media(TypedDict):
    """The properties of a video; px, s."""

    width: int
    height: int
    frames: int
    duration: float
    codec: str
    cut: bool
    damaged: int


class UnreadImage(TypedDict):
    """An image that cannot be read, and why."""

    image: str
    message: str


class UnreadImages(TypedDict):
    """Images that cannot be read; `first`: at most 50."""

    count: int
    first: list[UnreadImage]


class SkippedFiles(TypedDict):
    """Files that are not images."""

    count: int
    first: list[str]


class ReadImages(TypedDict):
    """The images that were read."""

    read: int
    unread: UnreadImages
    skipped: SkippedFiles


class PredictionRun(TypedDict):
    """GET /api/predictions/<id>: a video, or many images."""

    id: int
    training_id: int
    training_name: str
    source: str
    filename: str
    input_bytes: int
    status: str
    progress: Progress | None
    job_id: int | None
    error: Failure | None
    confidence: float
    iou: float
    classes: dict[str, float]
    track: bool
    checkpoint: str | None
    media: Media | None
    images: ReadImages | None
    found: list[Counted] | None
    task: str | None
    tracked: bool | None
    engine: str | None
    engine_note: str | None
    device: str | None
    rate: float | None
    files: list[File]
    created_at: str
    created_by: int | None
    ended_at: str | None


class Threshold(TypedDict):
    """A recommended confidence threshold, and its figures."""

    name: str
    goal: float | None
    confidence: float
    precision: float
    recall: float


class ClassFigures(TypedDict):
    """The figures of a class in an evaluation."""

    name: str
    images: int
    objects: int
    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    best_confidence: float | None


class Evaluation(TypedDict):
    """GET /api/evaluations/<id>. Figures are None until it is completed."""

    id: int
    training_id: int
    dataset_id: int | None
    dataset_name: str | None
    revision: int | None
    split: str
    checkpoint: str
    created_by: int | None
    img_size: int
    mapping: dict[str, str | None] | None
    job_id: int | None
    status: str
    progress: Progress
    error: Failure | None
    images: int | None
    objects: int | None
    names: list[str]
    metrics: dict[str, float | None] | None
    intervals: dict[str, list[float]] | None
    classes: list[ClassFigures]
    sizes: Mapping[str, object] | None
    best: dict[str, float] | None
    confidence: float | None
    iou: float | None
    thresholds: list[Threshold]
    speed_ms: dict[str, float] | None
    weights_changed: bool
    created_at: str
    ended_at: str | None


class ExportFormat(TypedDict):
    """A format of model exports; `reason`: why it is not available on this server."""

    format: str
    label: str
    available: bool
    reason: str | None
    arguments: list[str]
    int8_reason: str | None


class ModelExport(TypedDict):
    """GET /api/exports/<id>."""

    id: int
    training_id: int
    format: str
    label: str
    arguments: Mapping[str, object]
    status: str
    progress: Progress | None
    job_id: int | None
    error: Failure | None
    notes: list[str]
    size_bytes: int | None
    verification: Mapping[str, object] | None
    threshold: float | None
    thresholds: list[Threshold]
    weights_sha256: str
    weights_changed: bool
    created_at: str
    created_by: int | None
    ended_at: str | None
    url: str | None


class Subject(TypedDict):
    """The object of a job."""

    type: str
    id: int | None


class Job(TypedDict):
    """GET /api/jobs/<id>."""

    id: int
    kind: str
    subject: Subject | None
    subject_name: str | None
    status: str
    progress: Progress
    device: str | None
    runner: str | None
    attempt: int
    stop_requested: bool
    created_at: str
    created_by: int | None
    started_at: str | None
    ended_at: str | None
    error: Failure | None
    result: Mapping[str, object] | None


def fields_of(answer: Mapping[str, object], names: Sequence[str]) -> Row:
    """These fields of a response, in this order."""
    return {name: answer[name] for name in names}
