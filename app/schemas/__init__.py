"""Requests and responses: shapes, types and ranges. Pure: no database, no files."""

from app.schemas.base import MAX_ID, DateTime, Message, Page, PageQuery, Schema, between, moment, name_field, one_of
from app.schemas.dataset_contents import (
    CodeOut,
    FileQuery,
    FindingOut,
    FindingPage,
    FindingQuery,
    FixIn,
    ImageDetail,
    ImageOut,
    ImagePage,
    ImageQuery,
    ReportOut,
    RevisionQuery,
    StatisticsOut,
)
from app.schemas.datasets import (
    DatasetCreated,
    DatasetForm,
    DatasetOut,
    DatasetPage,
    DatasetPatch,
    DatasetQuery,
    ExportQuery,
    FoldersOut,
    ImportIn,
    ImportQuery,
    RevisionIn,
    RevisionsOut,
    RevisionStarted,
    SampleOut,
    SplitPreviewIn,
    SplitPreviewOut,
)
from app.schemas.defaults import ChecksOut, DefaultsOut, DefaultsQuery, WeightsOut, WeightsQuery
from app.schemas.estimate import EstimateOut
from app.schemas.installation import DecisionOut, InstallationOut
from app.schemas.jobs import JobOut, JobPage, JobQuery, JobStopped
from app.schemas.parameters import ArchitecturesOut, ParametersOut
from app.schemas.reproduce import RunAgainIn
from app.schemas.system import LogTailOut, LogTailQuery, SystemOut
from app.schemas.tests import (
    CheckpointChoice,
    FrameOut,
    ModelPage,
    ModelQuery,
    TestCreated,
    TestDeleted,
    TestForm,
    TestOptions,
    TestOut,
    TestPage,
    TestQuery,
    VideoForm,
)
from app.schemas.training_actions import (
    CheckpointsOut,
    DeleteQuery,
    Extended,
    ExtendIn,
    KeyHeader,
    QueueIn,
    QueueOut,
    TrainingDeleted,
    TrainingPatch,
)
from app.schemas.training_events import AdvicesOut, EventQuery, EventsOut
from app.schemas.training_views import EvaluationOut, PreviewOut, PreviewsOut, RunFilesOut
from app.schemas.trainings import (
    CompareOut,
    CompareQuery,
    CsvOut,
    FilterChoices,
    LogOut,
    LogQuery,
    MetricOut,
    MetricsOut,
    MetricsQuery,
    NoteOut,
    TrainingCreated,
    TrainingIn,
    TrainingOut,
    TrainingPage,
    TrainingQuery,
)
from app.schemas.uploads import ChunkHeaders, CreationHeaders, TusHeaders, UploadMetadata, UploadOut, UploadPage
from app.schemas.verdict import VerdictOut
