"""TrainingService: creates, starts, stops and follows trainings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.schemas.training_lists import TrainingQueryValues
from app.services.trainer import compare
from app.services.trainer.actions import TrainingActions
from app.services.trainer.bundle import TrainingBundle
from app.services.trainer.clone import TrainingCloning
from app.services.trainer.create import TrainingCreation
from app.services.trainer.disk_pauses import DiskPauses
from app.services.trainer.ephemeral import EphemeralMessages
from app.services.trainer.event_recorder import EventRecorder
from app.services.trainer.extend import TrainingExtension
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.files import TrainingFiles
from app.services.trainer.following import TrainingFollowing
from app.services.trainer.job_record import TrainingRecord
from app.services.trainer.jobs import TrainingJobs
from app.services.trainer.present import TrainingPresenter, choices
from app.services.trainer.queue import TrainingQueue
from app.services.trainer.read_models import Comparison, FilterChoicesView, TrainingPageView, TrainingView
from app.services.trainer.reruns import TrainingReruns
from app.services.trainer.run_endings import EndedRuns
from app.services.trainer.store import TrainingStore, training_not_found
from app.services.trainer.stored_messages import StoredMessages
from app.services.trainer.trash import TrainingTrash
from app.services.trainer.views import TrainingViews
from app.services.trainer.writer import TrainingWriter

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.backup import BackupService
    from app.services.revisions import RevisionHashes
    from app.services.storage import StorageService


@dataclass(frozen=True)
class TrainingService:
    """The life cycle of a training, from its row to its weights: the specification's methods, and the objects that
    implement them; see `create_training_service`.
    """

    store: TrainingStore
    presenter: TrainingPresenter
    feed: TrainingFeed
    creation: TrainingCreation
    cloning: TrainingCloning
    reruns: TrainingReruns
    actions: TrainingActions
    extension: TrainingExtension
    queue: TrainingQueue
    trash: TrainingTrash
    files: TrainingFiles
    views: TrainingViews
    bundles: TrainingBundle
    following: TrainingFollowing
    ephemeral: EphemeralMessages
    recorder: EventRecorder
    jobs: TrainingJobs
    ended: EndedRuns

    # Names of the specification.

    @property
    def storage(self) -> "StorageService":
        """The storage of the trainings' folders."""
        return self.store.storage

    @property
    def active_trainings(self) -> dict[int, Any]:
        """The supervisor of each training with a running process, by its id."""
        return self.jobs.supervisors()

    def start_training(self, training_id: int) -> None:
        """Wake the queue; the training starts as soon as its device is free."""
        self.store.row(training_id)
        self.creation.scheduler.wake()

    def _run_training(self, training_id: int) -> None:
        """As `start_training`; the process is supervised in the background."""
        self.start_training(training_id)

    def cancel_training(self, training_id: int) -> str:
        """As `actions.stop`; the present status."""
        return self.actions.stop(training_id)["status"]

    def cleanup_training(self, training_id: int) -> None:
        """Describe an ended training in its folder. Its supervisor has released its process and devices, and the
        janitor removes old files.
        """
        self.store.describe(self.store.row(training_id))

    def get_training_status(self, training_id: int) -> TrainingView:
        """The training as TrainingOut.

        Raises:
            NotFound: there is no such training.
        """
        view = self.presenter.one(training_id)
        if view is None:
            raise training_not_found(training_id)
        return view

    def list_active_trainings(self) -> list[TrainingView]:
        """Running trainings, then waiting ones, as TrainingOut."""
        return self.presenter.active()

    # Reading.

    def list_trainings(self, query: TrainingQueryValues) -> TrainingPageView:
        """A page of trainings; `query` as TrainingQuery loads it."""
        return self.presenter.page(query)

    def filter_choices(self) -> FilterChoicesView:
        """The values of the list's filters, as FilterChoices."""
        return choices()

    def compare(self, ids: list[int]) -> Comparison:
        """Trainings side by side, as CompareOut.

        Raises:
            NotFound: none of them exists.
        """
        return compare.compare(ids, self.presenter)

    def reconcile(self) -> None:
        """At the server's start, before its jobs: give a job to every training that has not ended."""
        self.jobs.adopt()


def create_training_service(
    storage: "StorageService",
    revisions: "RevisionHashes",
    jobs: "JobService",
    backups: "BackupService",
    limited: bool = False,
) -> TrainingService:
    """Create the service with its parts.

    Args:
        storage: of the trainings' folders.
        revisions: hashes the present files of a dataset.
        jobs: runs them.
        backups: of the models of ended trainings.
        limited: whether their memory is limited.
    """
    ephemeral = EphemeralMessages(at_once=jobs.cluster.on)
    store = TrainingStore(storage, ephemeral)
    presenter = TrainingPresenter(store.models, ephemeral)
    stored = StoredMessages(presenter)
    feed = TrainingFeed(store, stored, jobs.cluster.bus)
    ended = EndedRuns(jobs)
    writer = TrainingWriter(feed, jobs, ended)
    creation = TrainingCreation(store, feed, jobs.scheduler)
    reruns = TrainingReruns(store, feed, jobs.scheduler, revisions)
    actions = TrainingActions(store, presenter, writer, ended, backups)
    recorder = EventRecorder(store, ephemeral)
    record = TrainingRecord(
        store=store,
        feed=feed,
        recorder=recorder,
        ephemeral=ephemeral,
        disk_pauses=DiskPauses(store),
        ended=ended,
        jobs=jobs,
        actions=actions,
        backups=backups,
    )
    return TrainingService(
        store=store,
        presenter=presenter,
        feed=feed,
        creation=creation,
        cloning=TrainingCloning(store, creation),
        reruns=reruns,
        actions=actions,
        extension=TrainingExtension(store, writer),
        queue=TrainingQueue(store, presenter, writer),
        trash=TrainingTrash(store, writer),
        files=TrainingFiles(store),
        views=TrainingViews(store),
        bundles=TrainingBundle(store, reruns),
        following=TrainingFollowing(store, presenter, feed, ephemeral, stored, jobs.cluster.on),
        ephemeral=ephemeral,
        recorder=recorder,
        jobs=TrainingJobs(record, store, jobs, limited),
        ended=ended,
    )
