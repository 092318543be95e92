"""The answers about background jobs."""

from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length

from app.schemas.base import DateTime, Message, MessageValues, Page, PageQuery, PageQueryValues, Schema, one_of
from app.schemas.creators import CreatedBy, creator_filter

STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")


class JobQuery(PageQuery):
    kind = String(validate=Length(max=30))
    status = String(validate=one_of(STATUSES))
    created_by = creator_filter()


class JobQueryValues(PageQueryValues):
    kind: NotRequired[str]
    status: NotRequired[str]
    created_by: NotRequired[str]


class SubjectOut(Schema):
    """What a job is about."""

    type = String()
    id = Integer()


class JobProgress(Schema):
    """How far a job is, counted in what its kind works on (images, files). null: not known."""

    stage = String(allow_none=True)
    done = Integer()
    total = Integer(metadata={"description": "0: not known."})
    percent = Float(allow_none=True)
    rate = Float(allow_none=True, metadata={"description": "A second."})
    eta = Float(allow_none=True, metadata={"description": "s"})


class JobProgressValues(TypedDict):
    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None


class JobError(Schema):
    code = String()
    message = String()


class JobErrorValues(TypedDict):
    code: str
    message: str


class JobOut(Schema):
    id = Integer()
    kind = String(
        metadata={
            "description": "training, evaluate, evaluate_automatic, estimate, predict, import_dataset, "
            "read_dataset, index_dataset, export_dataset, export_model, export_model_automatic, predict_video, "
            "predict_images, draw_sample, hash_revision"
        }
    )
    subject = Nested(SubjectOut, allow_none=True)
    subject_name = String(allow_none=True, metadata={"description": "Of a dataset. null: it is gone, or has none."})
    status = String(validate=one_of(STATUSES))
    progress = Nested(JobProgress)
    device = String(allow_none=True, metadata={"description": "null: it has none now, or needs none."})
    runner = String(allow_none=True, metadata={"description": "The host that it runs on."})
    attempt = Integer()
    stop_requested = Boolean()
    created_at = DateTime()
    created_by = CreatedBy()
    started_at = DateTime(allow_none=True)
    ended_at = DateTime(allow_none=True)
    error = Nested(JobError, allow_none=True)
    result = Dict(allow_none=True)


class JobPage(Page):
    jobs = List(Nested(JobOut))


class JobStopped(Message):
    job_id = Integer()
    status = String()


class JobStoppedValues(MessageValues):
    job_id: int
    status: str
