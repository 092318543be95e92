"""The ultralytics parameters that a training may set: an allow-list with types, ranges and documentation.

Parameters that contain a path, an address or a name are excluded on purpose; see excluded.py.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from flask_babel import gettext as _

from app.core.train import TrainingParams, UltralyticsArguments
from app.errors import FieldError, Unprocessable
from app.schemas.parameters import ParameterOutValues
from app.services.trainer.params import augmentation, learning, running
from app.services.trainer.params.kinds import OPTIMIZERS, Parameter
from app.services.trainer.params.titles import GROUPS
from app.services.trainer.ultralytics_files import defaults

__all__ = ["OPTIMIZERS", "PARAMETERS", "SGD_FROM", "catalogue", "check_params", "defaults_of", "with_optimizer"]

SGD_FROM = 0.005  # rates from here on make Adam's steps diverge
PLATFORM_DEFAULTS = {"device": "auto"}  # where ultralytics has no default

PARAMETERS: dict[str, Parameter] = {
    item.name: item for item in (*learning.PARAMETERS, *running.PARAMETERS, *augmentation.PARAMETERS)
}


def check_params(params: Mapping[str, object], task: str | None = None) -> TrainingParams:
    """The parameters, validated and normalized. With a task, those of other tasks are refused.

    Raises:
        Unprocessable: names each unknown or invalid one as `params.<name>`.
    """
    values = {}
    errors: list[FieldError] = []
    for name, value in params.items():
        try:
            if name not in PARAMETERS:
                raise ValueError(_("Unknown parameter."))
            values[name] = PARAMETERS[name].check(value, task)
        except ValueError as error:
            errors.append({"field": f"params.{name[:50]}", "message": str(error)})
    if errors:
        raise Unprocessable(_("Some fields are not valid. Correct them and send the request again."), errors)
    return cast(TrainingParams, values)  # its keys are those of PARAMETERS


def with_optimizer(params: TrainingParams, rate: float | None) -> tuple[TrainingParams, float]:
    """The parameters with an optimizer that uses the requested rate, and the rate in use.

    ultralytics' `auto` ignores the rate. Without a rate, `auto` chooses both; a named optimizer gets its usual rate.
    """
    name = params.get("optimizer", "auto")
    if rate is not None:
        chosen = ("SGD" if rate >= SGD_FROM else "AdamW") if name == "auto" else name
        return {**params, "optimizer": chosen}, rate
    return {**params, "optimizer": name}, 0.01 if name in {"auto", "SGD", "MuSGD"} else 0.001


def defaults_of(names: Iterable[str]) -> UltralyticsArguments:
    """ultralytics' defaults of these."""
    values = defaults() | PLATFORM_DEFAULTS
    return {name: values.get(name) for name in sorted(names)}


def catalogue() -> list[ParameterOutValues]:
    """Every parameter as ParameterOut, in the reader's language."""
    values = defaults() | PLATFORM_DEFAULTS
    return [
        {
            "name": item.name,
            "type": item.kind,
            "default": values.get(item.name),
            "minimum": item.low,
            "maximum": item.high,
            "choices": list(item.choices) if item.choices else None,
            "group": item.group,
            "group_title": str(GROUPS[item.group]),
            "description": str(item.description),
            "tasks": list(item.tasks),
        }
        for item in PARAMETERS.values()
    ]
