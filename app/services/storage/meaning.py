"""What the files of a dataset mean: its classes, its keypoints, its task."""

from collections.abc import Callable
from typing import IO, Any

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.archive import Limits, Member
from app.services.storage.keypoints import keypoints_of
from app.services.storage.layout import Plan
from app.services.storage.names import MAX_YAML, checked, names_from_form, names_of, read_yaml
from app.services.storage.unpack import content


def choose_names(
    file: IO[bytes], layout: Plan, classes: str, limits: Limits, pause: Callable[[], None]
) -> tuple[list[str], dict[str, Any] | None]:
    """Names from folders of classes, else data.yaml, else the form, else none yet; and data.yaml's keypoints.

    Each choice is told.
    """
    from_form = names_from_form(classes, limits.max_classes)
    from_yaml, keypoints = None, None
    if layout.yaml is not None:
        document = read_yaml(read_small(file, layout.yaml), pause)
        from_yaml, keypoints = names_of(document, limits.max_classes), keypoints_of(document)
        if isinstance(document, dict) and "download" in document:
            layout.decisions.append({"code": "download_ignored", "data": {}})
    if layout.classes:
        names = checked(layout.classes, limits.max_classes, "ZIP")
        if any(given and given != names for given in (from_yaml, from_form)):
            layout.decisions.append({"code": "folder_names", "data": {}})
        return names, None
    if from_yaml and from_form and from_yaml != from_form:
        layout.decisions.append({"code": "form_names_ignored", "data": {}})
    return from_yaml or from_form or [], keypoints


def kind_of_labels(asked: str, layout: Plan, keypoints: dict[str, Any] | None) -> str | None:
    """The task, where it is known before the labels are read.

    Raises:
        Unprocessable: the task that was asked for does not fit the files.
    """
    if layout.classes:
        return "classify"
    if asked == "pose" and keypoints is None:
        raise Unprocessable(_("For the task pose, data.yaml must say kpt_shape, such as [17, 3]: how many keypoints, "
                              "and 2 or 3 numbers for each."))  # fmt: skip
    return asked if asked != "auto" else "pose" if keypoints else None


def read_small(file: IO[bytes], member: Member) -> bytes:
    """A YAML file's bytes."""
    if member.entry.size > MAX_YAML:
        raise Unprocessable(_("data.yaml is larger than %(limit)s bytes.", limit=MAX_YAML))
    return b"".join(content(file, member.entry))
