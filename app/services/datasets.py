"""Skeleton."""


class DatasetService:
    def __init__(self, storage): ...

    def reconcile(self): ...
