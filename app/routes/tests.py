"""Skeleton."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("tests", __name__)
