"""Which errors of a storage are worth another attempt."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)
from django.core.exceptions import SuspiciousFileOperation

from automate.lib import s3
from automate.lib.filestore.errors import judge
from automate.lib.filestore.new import NewFile
from tests.automate.lib.filestore.conftest import storage_of


def answer(status: int, code: str) -> ClientError:
    said: Any = {
        "Error": {"Code": code, "Message": "so it is"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(said, "PutObject")


@pytest.mark.parametrize(
    ("error", "passing", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True, "No space left"),
        (OSError(errno.EIO, "Input/output error"), True, "Input/output"),
        (OSError("odd"), True, "odd"),
        (PermissionError(errno.EACCES, "Permission denied"), False, "Permission"),
        (OSError(errno.EROFS, "Read-only file system"), False, "Read-only"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), False, "too long"),
        (NotADirectoryError(errno.ENOTDIR, "a part is a file"), False, "a part"),
        (SuspiciousFileOperation("outside"), False, "outside"),
        (answer(500, "InternalError"), True, "500 InternalError: so it is"),
        (answer(503, "SlowDown"), True, "503"),
        (answer(409, "ConditionalRequestConflict"), True, "409"),
        (answer(400, "RequestTimeout"), True, "RequestTimeout"),
        (answer(403, "AccessDenied"), False, "403 AccessDenied"),
        (answer(404, "NoSuchBucket"), False, "404 NoSuchBucket"),
        (EndpointConnectionError(endpoint_url="http://x"), True, "http://x"),
        (ConnectTimeoutError(endpoint_url="http://x"), True, "http://x"),
        (NoCredentialsError(), False, "credentials"),
        (ParamValidationError(report="bad"), False, "bad"),
    ],
)
def test_what_passes_is_tried_again_and_what_lasts_is_not(
    error: Exception, passing: bool, words: str
) -> None:
    verdict = judge(error)
    assert verdict is not None
    assert verdict.passing is passing
    assert words in verdict.message


def test_other_errors_are_nobodys_to_judge() -> None:
    assert judge(ValueError("x")) is None


def test_a_bucket_that_is_not_there_is_a_lasting_error(bucket: str) -> None:
    place = s3.parse(bucket)
    storage = storage_of(bucket.replace(f"@{place.name}/", "@no-such-bucket/"))
    with pytest.raises(ClientError) as caught:
        storage.save("x", NewFile(b"x"))
    verdict = judge(caught.value)
    assert verdict is not None
    assert not verdict.passing


def test_a_server_that_is_away_is_a_passing_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    storage = storage_of(f"s3://a:b@bucket?endpoint=http://127.0.0.1:{port}&region=x")
    with pytest.raises(Exception, match="Could not connect") as caught:
        storage.save("x", NewFile(b"x"))
    verdict = judge(caught.value)
    assert verdict is not None
    assert verdict.passing
    s3.forget_clients()
