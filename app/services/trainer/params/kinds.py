"""The types of parameters, and their validation."""

import math
import re
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from app.core.tasks import TASKS
from app.i18n import decimal
from app.texts import task_names

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp")


@dataclass(frozen=True)
class Parameter:
    """One parameter. `description`: a lazy text with its effect, for beginners, and its definition, for engineers."""

    name: str
    kind: str  # number, integer, boolean, choice or device
    group: str
    description: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    tasks: tuple[str, ...] = TASKS

    def check(self, value: Any, task: str | None = None) -> Any:
        """The validated value, as stored.

        Raises:
            ValueError: it is invalid; with a message for the user.
        """
        if task is not None and task not in self.tasks:
            raise ValueError(_("Only for these tasks: %(tasks)s.", tasks=task_names(*self.tasks)))
        if self.kind == "device":
            return device(value)
        if self.kind == "boolean":
            return flag(value)
        if self.kind == "choice":
            return choice(value, self.choices)
        return self.number(value)

    def number(self, value: Any) -> float:
        integer = self.kind == "integer"
        if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
            raise ValueError(_("Must be a whole number.") if integer else _("Must be a number."))
        low, high = -math.inf if self.low is None else self.low, -math.inf if self.high is None else self.high
        if not low <= value <= high:  # also false for not-a-number
            raise ValueError(_("Must be between %(low)s and %(high)s.", low=decimal(low), high=decimal(high)))
        return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("Must be true or false."))
    return value


def choice(value: Any, choices: tuple[Any, ...]) -> Any:
    if not any(type(value) is type(item) and value == item for item in choices):
        raise ValueError(_("Must be one of: %(choices)s.", choices=", ".join(map(str, choices))))
    return value


def device(value: Any) -> str:
    """`auto`, `cpu`, or indexes of GPUs: `0`, `0,1`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(r"auto|cpu|\d{1,2}(,\d{1,2}){0,15}", text, re.ASCII):
        numbers = text.split(",")
        if len(set(numbers)) == len(numbers):
            return text
    raise ValueError(_("Must be auto, cpu, or GPU numbers: 0, or 0 and 1 written as “0,1”."))
