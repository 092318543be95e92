"""`python -m scripts.storage check`: whether objects can be put, read, listed and removed in the store of STORAGE_URL,
and what to do if they cannot. `usage`: the number and size of its objects, by kind.
"""

import argparse
import os
import sys
from collections import Counter

from dotenv import dotenv_values

from app.config import ROOT, load_settings
from app.core.setting_values import SettingError
from app.object_store.bucket import Bucket, open_bucket
from app.object_store.errors import StoreAway
from app.services.exchange import check


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts.storage", description=__doc__)
    parser.add_argument("command", choices=["check", "usage"])
    command = parser.parse_args().command
    environ = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None} | os.environ
    try:
        bucket = open_bucket(load_settings(environ))
    except SettingError as error:
        sys.exit(str(error))
    if bucket is None:
        sys.exit("STORAGE_URL is empty: files are shared by a volume.")
    try:
        if command == "check":
            check(bucket)
            print(f"{bucket}: objects can be put, read, listed and removed.")
        else:
            show_usage(bucket)
    except StoreAway as error:
        sys.exit(
            f"{bucket} cannot be used: {error}\n"
            "Check that STORAGE_ENDPOINT is reached from this machine, that the bucket of STORAGE_URL exists, and that "
            "the key may put, get, list and delete objects in it."
        )


def show_usage(bucket: Bucket) -> None:
    """Print the number and size of the objects of each kind, for each installation."""
    numbers, sizes = Counter[str](), Counter[str]()
    for key, size in bucket.sizes("").items():
        kind = "/".join(key.split("/")[:2])
        numbers[kind] += 1
        sizes[kind] += size
    for kind in sorted(numbers):
        print(f"{kind}: {numbers[kind]} objects, {sizes[kind]} bytes")


if __name__ == "__main__":
    main()
