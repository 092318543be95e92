"""The tables of the specification, with what we add to them, the statuses and their legal transitions."""

from app.models.base import JSONText, UTCDateTime, now
from app.models.dataset import Dataset, DatasetRevision
from app.models.installation import Installation
from app.models.request import Estimate, IdempotencyKey
from app.models.status import TRANSITIONS, DatasetStatus, RevisionStatus, TrainingStatus
from app.models.test import Test
from app.models.training import Checkpoint, Training, TrainingEvent, TrainingMetric, new_position
