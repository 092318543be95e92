"""The parameters of ultralytics that a training may set: an allow-list with types and ranges.

Everything that is or holds a path, an address or a name is absent on purpose.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import gettext as _

from app.errors import Unprocessable

Check = Callable[[Any], Any]  # the value as it is stored; ValueError with a message for the user

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp")
SGD_FROM = 0.005  # a rate from here on would make Adam's steps diverge


def number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(_("Not a number."))
        if not low <= value <= high:
            raise ValueError(_("Must be between %(low)s and %(high)s.", low=low, high=high))
        return value

    return check


def whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(_("Not a whole number."))
        if not low <= value <= high:
            raise ValueError(_("Must be between %(low)s and %(high)s.", low=low, high=high))
        return value

    return check


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("Not true or false."))
    return value


def choice(*choices: Any) -> Check:
    def check(value: Any) -> Any:
        if not any(type(value) is type(item) and value == item for item in choices):
            raise ValueError(_("Must be one of: %(choices)s.", choices=", ".join(map(str, choices))))
        return value

    return check


def device(value: Any) -> str:
    """`auto`, `cpu`, or numbers of GPUs: `0`, `0,1`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(r"auto|cpu|\d{1,2}(,\d{1,2}){0,15}", text, re.ASCII):
        numbers = text.split(",")
        if len(set(numbers)) == len(numbers):
            return text
    raise ValueError(_("Must be auto, cpu, or numbers of GPUs such as 0 or 0,1."))


PARAMETERS: dict[str, Check] = {
    "device": device,
    "workers": whole(0, 32),
    "amp": flag,
    "cache": choice(False, "ram"),
    "seed": whole(0, 2**31 - 1),
    "optimizer": choice(*OPTIMIZERS),
    "lrf": number(1e-6, 1),
    "cos_lr": flag,
    "momentum": number(0, 0.999),
    "weight_decay": number(0, 0.1),
    "warmup_epochs": number(0, 100),
    "patience": whole(0, 10_000),
    "close_mosaic": whole(0, 10_000),
    "freeze": whole(0, 22),  # of YOLOv8's 23 layers: at least the last one learns
    "dropout": number(0, 0.9),
    "single_cls": flag,
    "rect": flag,
    "box": number(0, 100),
    "cls": number(0, 100),
    "dfl": number(0, 100),
    "hsv_h": number(0, 1),
    "hsv_s": number(0, 1),
    "hsv_v": number(0, 1),
    "degrees": number(0, 180),
    "translate": number(0, 1),
    "scale": number(0, 1),
    "shear": number(0, 90),
    "perspective": number(0, 0.001),
    "flipud": number(0, 1),
    "fliplr": number(0, 1),
    "mosaic": number(0, 1),
    "mixup": number(0, 1),
}


def checked(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, normalised.

    Raises:
        Unprocessable: names each one that is unknown or does not fit, as `params.<name>`.
    """
    values, errors = {}, []
    for name, value in params.items():
        try:
            if name not in PARAMETERS:
                raise ValueError(_("Unknown parameter."))
            values[name] = PARAMETERS[name](value)
        except ValueError as error:
            errors.append({"field": f"params.{name[:50]}", "message": str(error)})
    if errors:
        raise Unprocessable(_("Some fields are not valid. Correct them and send again."), errors)
    return values


def with_optimizer(params: dict[str, Any], rate: float | None) -> tuple[dict[str, Any], float]:
    """The parameters with an optimizer that uses the user's rate, and the rate that is used.

    ultralytics' `auto` ignores the rate. Without a rate `auto` chooses both; a named optimizer gets its usual one.
    """
    name = params.get("optimizer", "auto")
    if rate is not None:
        chosen = ("SGD" if rate >= SGD_FROM else "AdamW") if name == "auto" else name
        return params | {"optimizer": chosen}, rate
    return params | {"optimizer": name}, 0.01 if name in {"auto", "SGD", "MuSGD"} else 0.001
