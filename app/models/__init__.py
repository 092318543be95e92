"""The tables of the specification with our additions, the statuses and their legal transitions."""

from app.models.access import AccessToken, Account, ExternalIdentity, Invitation, LoginSession
from app.models.base import JSONText, UTCDateTime, now
from app.models.dataset import Dataset, DatasetRevision
from app.models.evaluation import Evaluation
from app.models.export import ModelExport
from app.models.installation import Installation
from app.models.prediction import PredictionRun
from app.models.request import Estimate, IdempotencyKey
from app.models.status import DatasetStatus, RevisionStatus, TrainingStatus
from app.models.test import Test
from app.models.training import Checkpoint, Training, TrainingEvent, TrainingMetric, new_position
