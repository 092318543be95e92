"""Requests and responses: shapes, types and ranges. Pure: no database, no files."""

from app.schemas.base import MAX_ID, DateTime, Message, Page, PageQuery, Schema, between, moment, name_field, one_of
from app.schemas.datasets import (
    DatasetCreated,
    DatasetForm,
    DatasetOut,
    DatasetPage,
    DatasetQuery,
    FindingOut,
    FindingPage,
    FindingQuery,
)
from app.schemas.estimate import EstimateOut
from app.schemas.parameters import ArchitecturesOut, ParametersOut
from app.schemas.reproduce import RunAgainIn
from app.schemas.system import SystemOut
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
from app.schemas.trainings import (
    CsvOut,
    LogOut,
    LogQuery,
    MetricOut,
    MetricsOut,
    NoteOut,
    TrainingCreated,
    TrainingIn,
    TrainingOut,
    TrainingPage,
    TrainingQuery,
)
