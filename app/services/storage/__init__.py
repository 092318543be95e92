"""Skeleton."""


class StorageService:
    def __init__(self, data_root="data"): ...

    def clean_leftovers(self): ...
