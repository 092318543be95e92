"""Skeleton."""


class InferenceService:
    def __init__(self, storage): ...
