"""Skeleton."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("trainings", __name__)
