"""Background jobs: what runs and waits, of every kind, and stopping it."""

from apiflask import APIBlueprint
from flask_babel import gettext as _

from app.jobs import views
from app.schemas import JobOut, JobPage, JobQuery, JobStopped
from app.schemas.jobs import JobQueryValues, JobStoppedValues
from app.services import services

blueprint = APIBlueprint("jobs", __name__, url_prefix="/api/jobs", tag="Jobs")


@blueprint.get("")
@blueprint.input(JobQuery, location="query", arg_name="query")
@blueprint.output(JobPage)
def list_jobs(query: JobQueryValues) -> views.JobPageView:
    """Jobs, the newest first."""
    return services().jobs.page(query)


@blueprint.get("/<id:job_id>")
@blueprint.output(JobOut)
@blueprint.doc(responses=[404])
def get_job(job_id: int) -> views.JobView:
    """A job with its progress."""
    jobs = services().jobs
    return jobs.view(jobs.get(job_id))


@blueprint.post("/<id:job_id>/stop")
@blueprint.output(JobStopped, 202)
@blueprint.doc(responses=[404, 409])
def stop_job(job_id: int) -> JobStoppedValues:
    """Stop a job: one that waits is cancelled at once, one that runs ends within seconds."""
    job = services().jobs.stop(job_id)
    return {"message": _("The job is being stopped."), "job_id": job.id, "status": job.status}
