"""Types of lists of models, for their schemas."""

from app.services.paging import PageNumbers
from app.services.trainer.read_models import TrainingView


class ModelsView(PageNumbers):
    """A page of models, and the default one."""

    models: list[TrainingView]
    default: TrainingView | None
