"""What all schemas share: fields with messages in the reader's language, ranges, pages of a list."""

from datetime import UTC, datetime
from typing import Any, TypedDict

from apiflask import Schema as BaseSchema
from apiflask.fields import AwareDateTime, Boolean, Field, File, Float, Integer, String
from apiflask.fields import DateTime as BaseDateTime
from apiflask.validators import Length, OneOf, Range, Regexp
from flask_babel import lazy_gettext as _l
from marshmallow import RAISE, ValidationError, pre_load

from app import inputs

MAX_ID = 2**63 - 1

Integer.default_error_messages = Integer.default_error_messages | {"invalid": _l("Must be a whole number.")}
Float.default_error_messages = Float.default_error_messages | {
    "invalid": _l("Must be a number."),
    "special": _l("Must be a finite number."),
    "too_large": _l("The number is too large."),
}
String.default_error_messages = String.default_error_messages | {"invalid": _l("Must be text.")}
Field.default_error_messages = Field.default_error_messages | {
    "required": _l("This field is required."),
    "null": _l("This field must not be null."),
}
Boolean.default_error_messages = Boolean.default_error_messages | {"invalid": _l("Must be true or false.")}
File.default_error_messages = File.default_error_messages | {"invalid": _l("Must be a file.")}


class Schema(BaseSchema):
    """A base that refuses unknown keys, so that misspelled ones are noticed."""

    error_messages = {  # noqa: RUF012 (marshmallow declares it so)
        "unknown": _l("Unknown field."),
        "type": _l("The body must be a JSON object."),
    }

    class Meta:
        unknown = RAISE

    @pre_load
    def refuse_unstorable(self, data: Any, **_: Any) -> Any:
        """Checks the texts of forms and query strings; JSON bodies were checked before, see web.check_body."""
        if hasattr(data, "getlist"):
            messages = {name: problems for name in data if (problems := text_faults(data.getlist(name)))}
        else:
            messages = {}
            for name, message in inputs.first(inputs.faults(data)) if isinstance(data, dict) else ():
                messages.setdefault(name, []).append(message)
        if messages:
            raise ValidationError(messages)
        return data


def text_faults(values: list[Any]) -> list[str]:
    """The faults in the texts or file names of one field."""
    texts = [getattr(value, "filename", value) for value in values]
    return [message for text in texts if (message := inputs.fault_of(text))]


class DateTime(BaseDateTime):
    """UTC, ISO 8601 with Z, as the specification writes it."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        text = super()._serialize(value, attr, obj, **kwargs)
        return text.removesuffix("+00:00") + "Z" if isinstance(text, str) and text.endswith("+00:00") else text


def between(low: float, high: float) -> Range:
    """A range whose message names it."""
    return Range(low, high, error=_l("Must be between %(low)s and %(high)s.", low=low, high=high))


def one_of(choices: Any) -> OneOf:
    """An allow-list whose message lists it."""
    return OneOf(choices, error=_l("Must be one of: %(choices)s.", choices=", ".join(choices)))


class StrictBoolean(Boolean):
    """true or false of JSON; 0, "no" and the like are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class StrictFloat(Float):
    """A number of JSON; "0.5" is refused."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


CONTROL = r"\u0000-\u001f\u007f"
BLANK = r"\u0080-\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
NAME = f"[^{CONTROL}]*[^{CONTROL} {BLANK}][^{CONTROL}]*"


def name_field(**options: Any) -> String:
    """A name of 1 to 100 visible characters."""
    return String(
        validate=[
            Length(1, 100, error=_l("Must have 1 to 100 characters.")),
            Regexp(rf"{NAME}\Z", error=_l("Must have visible characters only.")),
        ],
        **{"metadata": {"pattern": f"^{NAME}$"}} | options,
    )


def moment(**options: Any) -> AwareDateTime:
    """A future time, ISO 8601; UTC unless it has a zone."""
    low, high = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    return AwareDateTime(
        format="iso",
        default_timezone=UTC,
        validate=Range(low, high, error=_l("Must be a date and time between 2000 and 2200.")),
        error_messages={"invalid": _l("Must be a date and time such as 2026-01-31T22:00:00Z.")},
        **options,
    )


class PageQuery(Schema):
    """Page, size and order of a list."""

    page = Integer(load_default=1, validate=between(1, 1_000_000), metadata={"description": "From 1."})
    per_page = Integer(load_default=10, validate=between(1, 100))


class PageQueryValues(TypedDict):
    page: int
    per_page: int


class Page(Schema):
    total = Integer()
    page = Integer()
    per_page = Integer()
    pages = Integer()


class PageValues(TypedDict):
    total: int
    page: int
    per_page: int
    pages: int


class Message(Schema):
    message = String()


class MessageValues(TypedDict):
    message: str
