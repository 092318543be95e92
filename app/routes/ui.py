"""Skeleton."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("ui", __name__)
