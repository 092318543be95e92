"""Skeleton."""


class TrainingService:
    def __init__(self, storage_service): ...

    def reconcile(self): ...
