"""The answer with the figures of the machine."""

from apiflask.fields import Dict, Float, List, String

from app.schemas.base import Schema


class SystemOut(Schema):
    """The machine and the queue; sizes in bytes."""

    version = String()
    uptime = Float(metadata={"description": "s"})
    cpu = Dict()
    memory = Dict()
    process = Dict()
    disk = Dict()
    gpus = List(Dict())
    queue = Dict(metadata={"description": "Trainings by status."})
