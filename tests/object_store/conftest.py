"""One server for all tests of the folder; each has a prefix of its own."""

import uuid
from collections.abc import Iterator

import pytest

from app.object_store.bucket import Bucket
from tests.object_store.s3_server import S3Server, running_s3


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    return server.bucket().below(uuid.uuid4().hex)
