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
    SampleOut,
)
from app.schemas.defaults import ChecksOut, DefaultsOut, DefaultsQuery, WeightsOut, WeightsQuery
from app.schemas.estimate import EstimateOut
from app.schemas.evaluation_contents import (
    AdviceOut,
    AdviceQuery,
    ComparisonOut,
    ComparisonQuery,
    CurvesOut,
    EvaluatedPage,
    MatrixOut,
    OthersOut,
    OutcomeQuery,
    SuspectPage,
    SuspectQuery,
    ThresholdQuery,
)
from app.schemas.evaluations import (
    ChosenThresholds,
    EvaluationDeleted,
    EvaluationDetail,
    EvaluationIn,
    EvaluationsOut,
    EvaluationStarted,
)
from app.schemas.exports import (
    ExportFormatsOut,
    ModelExportDeleted,
    ModelExportIn,
    ModelExportOut,
    ModelExportsOut,
    ModelExportStarted,
)
from app.schemas.installation import DecisionOut, InstallationOut
from app.schemas.jobs import JobOut, JobPage, JobQuery, JobStopped
from app.schemas.parameters import ArchitecturesOut, ParametersOut
from app.schemas.prediction_runs import (
    PredictionFileQuery,
    PredictionRunDeleted,
    PredictionRunForm,
    PredictionRunOut,
    PredictionRunPage,
    PredictionRunQuery,
    PredictionRunStarted,
)
from app.schemas.predictions import PredictForm, PredictionOut, PredictQuery
from app.schemas.reproduce import RunAgainIn
from app.schemas.revisions import RevisionIn, RevisionsOut, RevisionStarted, SplitPreviewIn, SplitPreviewOut
from app.schemas.system import LogTailOut, LogTailQuery, SystemOut
from app.schemas.tests import (
    CheckpointChoice,
    FrameOut,
    ModelPage,
    ModelQuery,
    TestAnswer,
    TestCreated,
    TestDeleted,
    TestForm,
    TestOptions,
    TestOut,
    TestPage,
    TestQuery,
    TestsForm,
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
from app.schemas.training_lists import (
    CompareOut,
    CompareQuery,
    FilterChoices,
    TrainingQuery,
)
from app.schemas.training_views import EvaluationOut, PreviewOut, PreviewsOut, RunFilesOut
from app.schemas.trainings import (
    CsvOut,
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
)
from app.schemas.uploaded_models import UploadedModelForm, UploadedModelOut
from app.schemas.uploads import (
    ChunkHeaders,
    CreationHeaders,
    PredictionUploadMetadata,
    TusHeaders,
    UploadMetadata,
    UploadOut,
    UploadPage,
    UploadsQuery,
)
from app.schemas.verdict import VerdictOut
