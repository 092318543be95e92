"""What can be trained, and with which parameters."""

from collections.abc import Sequence
from typing import Any, TypedDict

from apiflask.fields import Float, List, Nested, Raw, String

from app.schemas.base import Schema


class ParameterOut(Schema):
    name = String()
    type = String(metadata={"description": "number, integer, boolean, choice or device"})
    default = Raw(allow_none=True, metadata={"description": "The default of ultralytics."})
    minimum = Float(allow_none=True)
    maximum = Float(allow_none=True)
    choices = List(Raw(allow_none=True), allow_none=True)
    group = String()
    group_title = String()
    description = String()
    tasks = List(String(), metadata={"description": "Tasks that the parameter affects."})


class ParameterOutValues(TypedDict):
    name: str
    type: str
    default: Any
    minimum: float | None
    maximum: float | None
    choices: list[Any] | None
    group: str
    group_title: str
    description: str
    tasks: list[str]


class ParametersOut(Schema):
    parameters = List(Nested(ParameterOut))


class ParametersOutValues(TypedDict):
    parameters: list[ParameterOutValues]


class ArchitectureOut(Schema):
    name = String()
    family = String()
    size = String(metadata={"description": "The scale; empty where a family has only one."})
    task = String(metadata={"description": "detect, segment, pose, obb or classify"})
    datasets = List(String(), metadata={"description": "The tasks of the datasets that it can be trained on."})


class ArchitectureOutValues(TypedDict):
    name: str
    family: str
    size: str
    task: str
    datasets: Sequence[str]


class ArchitecturesOut(Schema):
    architectures = List(Nested(ArchitectureOut))


class ArchitecturesOutValues(TypedDict):
    architectures: list[ArchitectureOutValues]
