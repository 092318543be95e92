"""Skeleton."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("datasets", __name__)
