"""Versions of a dataset: builds one with other options, switches back to an earlier one, and lists them."""

import logging

from flask_babel import gettext as _
from sqlalchemy import delete, func, select

from app.config import settings
from app.core.imports import RevisionOrigin
from app.database import write_now_or_later, writing
from app.errors import Conflict, Unprocessable
from app.extensions import db
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus, Training
from app.notify import to_dashboard
from app.schemas.dataset_options import ChoicesInValues
from app.services.datasets.dataset_about import describe
from app.services.datasets.finding_texts import text_of
from app.services.datasets.imports import DatasetImports
from app.services.datasets.options import apply_changes
from app.services.datasets.outcome import set_current_revision, update_status
from app.services.datasets.session import ImportSession
from app.services.datasets.specs import ImportParams
from app.services.datasets.store import DatasetStore, find_revision
from app.services.datasets.texts import REASONS, message_of

logger = logging.getLogger("yolo.dataset")


class DatasetRevisions:
    """Builds and selects versions.

    Args:
        imports: builds versions.
    """

    def __init__(self, store: DatasetStore, imports: DatasetImports) -> None:
        self.store, self.storage, self.imports = store, store.storage, imports

    def revise(
        self, dataset_id: int, changes: ChoicesInValues, fixes: list[str] | str | None = None
    ) -> DatasetRevision:
        """Build another version from the raw files, with the current one's options and the changes.

        Args:
            changes: as schemas.RevisionIn.
            fixes: codes of findings to fix as well, or "all".

        Raises:
            NotFound: there is no such dataset.
            Conflict: a version is being built, or the raw files are missing.
            Unprocessable: the choices are invalid, or such findings have no fix; nothing is changed.
        """
        refuse_unfixable(fixes)
        params = self.prepare(dataset_id, changes, fixes)
        number = params["number"]
        with ImportSession(self.imports, params, dataset_id) as importing:
            try:
                importing.verdict()
                with writing() as session:
                    importing.accept(session, dataset_id)
            except BaseException:
                try:
                    importing.end()
                finally:  # otherwise every later change would be refused because of it
                    write_now_or_later(lambda: self.withdraw(dataset_id, number))
                raise
            importing.release()
        logger.info("revision %d of dataset %d: %s", number, dataset_id, params["origin"])
        row = find_revision(db.session, dataset_id, number)
        if row is None:  # deleted meanwhile
            self.store.get(dataset_id)
            raise Conflict(_("The version was discarded."))
        return row

    def prepare(self, dataset_id: int, changes: ChoicesInValues, fixes: list[str] | str | None) -> ImportParams:
        """Create the row of the next version; its number, options and origin."""
        if not (self.storage.dataset_dir(dataset_id) / "source").is_dir():
            self.store.get(dataset_id)
            raise Conflict(
                _("The original files of this dataset aren't on the server. Upload the dataset again to change it.")
            )
        most = settings().MAX_CLASSES
        self.store.get(dataset_id)
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            newest = session.scalar(
                select(DatasetRevision)
                .where(DatasetRevision.dataset_id == dataset_id)
                .order_by(DatasetRevision.number.desc())
                .limit(1)
            )
            if newest is None or newest.status == RevisionStatus.BUILDING:
                raise Conflict(_("A version of this dataset is being created. Wait until it is ready."))
            base = find_revision(session, dataset_id, dataset.revision) if dataset.revision else newest
            base = base or newest
            refuse_unknown(base, changes)
            options = apply_changes(base.options, changes, base.report.get("source_names"), most)
            codes = merge_fixes(base.origin.get("fixes"), fixes)
            origin: RevisionOrigin = {"kind": "fix" if fixes else "options", "base": base.number, "fixes": codes}
            row = DatasetRevision(
                dataset_id=dataset_id, number=newest.number + 1, origin=origin, options=options, task=dataset.task
            )
            session.add(row)
            if dataset.status == DatasetStatus.INVALID:
                dataset.become(DatasetStatus.VALIDATING)
            return {"number": row.number, "options": options, "origin": origin}

    def withdraw(self, dataset_id: int, number: int) -> None:
        """Undo the request for a version."""
        with writing() as session:
            mine = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.number == number)
            session.execute(delete(DatasetRevision).where(mine))
            dataset = session.get(Dataset, dataset_id)
            if dataset is not None and dataset.status == DatasetStatus.VALIDATING:
                update_status(dataset)

    def use(self, dataset_id: int, number: int) -> DatasetRevision:
        """Make another version the current one. Trainings keep theirs.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: it is not ready, or cannot be used for training.
        """
        row = self.store.get_revision(dataset_id, number)
        if row.error:
            raise Conflict(_("Version %(number)s can't be used: %(error)s", number=number, error=row.error))
        with writing() as session:
            dataset, row = session.get_one(Dataset, dataset_id), session.get_one(DatasetRevision, row.id)
            set_current_revision(dataset, row)
            status = str(dataset.status)
        self.storage.remove_all(self.storage.revisions.show_revision(dataset_id, number))
        describe(self.storage, dataset_id)
        to_dashboard(
            "dataset_update",
            {
                "dataset_id": dataset_id,
                "status": status,
                "error": None,
                "stage": None,
                "done": row.total_images,
                "total": row.total_images,
                "revision": number,
            },
        )
        return row

    def revisions(self, dataset_id: int) -> list[tuple[DatasetRevision, list[int]]]:
        """All versions, newest first, each with the trainings that use it."""
        self.store.get(dataset_id)
        used: dict[int, list[int]] = {}
        mine = select(Training.id, Training.revision).where(Training.dataset_id == dataset_id)
        for training_id, number in db.session.execute(mine.order_by(Training.id)):
            used.setdefault(number or 0, []).append(training_id)
        rows = db.session.scalars(
            select(DatasetRevision)
            .where(DatasetRevision.dataset_id == dataset_id)
            .order_by(DatasetRevision.number.desc())
        )
        return [(row, used.get(row.number, [])) for row in rows]

    def building(self) -> int:
        """The number of versions being built."""
        is_building = DatasetRevision.status == RevisionStatus.BUILDING
        return db.session.scalar(select(func.count(DatasetRevision.id)).where(is_building)) or 0


def refuse_unknown(base: DatasetRevision, changes: ChoicesInValues) -> None:
    """Check that every class to be renamed exists in the base version.

    Raises:
        Unprocessable: one does not.
    """
    if "names" in changes or "root" in changes or "merge" in changes:
        return  # the classes are different: the child checks them
    for name in changes.get("rename") or {}:
        if name not in base.classes:
            raise Unprocessable(message_of(REASONS, "class_not_there", {"name": name[:200]}))


def refuse_unfixable(fixes: list[str] | str | None) -> None:
    """Check that every finding to be fixed has a fix.

    Raises:
        Unprocessable: one has none.
    """
    wrong = [code for code in fixes or [] if fixes != "all" and not text_of(code).fix]
    if wrong:
        text = _("No automatic fix for: %(codes)s.", codes=", ".join(wrong))
        raise Unprocessable(text, [{"field": "fixes", "message": text}])


def merge_fixes(before: list[str] | str | None, now: list[str] | str | None) -> list[str] | str | None:
    """The fixes of a version that is rebuilt, with the added ones."""
    if "all" in (before, now):
        return "all"
    return list(dict.fromkeys([*(before or []), *(now or [])])) or None
