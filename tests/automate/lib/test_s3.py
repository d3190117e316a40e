"""URLs of buckets, and the client that they give."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automate.lib import s3
from automate.lib.s3 import Bucket


def test_a_bucket_alone_is_amazons() -> None:
    assert s3.parse("s3://events") == Bucket("events")


def test_everything_in_a_url_is_read() -> None:
    bucket = s3.parse(
        "s3://KEY:s%2Fecret@events/a/b/?endpoint=http://minio:9000/&region=eu-west-1"
    )

    assert bucket == Bucket(
        name="events",
        prefix="a/b/",
        endpoint="http://minio:9000",
        region="eu-west-1",
        addressing="path",
        access_key="KEY",
        secret_key="s/ecret",
    )


def test_addressing_can_be_chosen_behind_an_endpoint() -> None:
    bucket = s3.parse("s3://events?endpoint=https://s3.example.com&addressing=virtual")

    assert bucket.addressing == "virtual"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://events", "s3://bucket/prefix"),
        ("s3://", "s3://bucket/prefix"),
        ("s3://events:9000/x", "s3://bucket/prefix"),
        ("s3://[events", "cannot be read"),
        ("s3://events?endpoit=http://x", "unknown endpoit"),
        ("s3://events?endpoint=minio:9000", "begins with http"),
        ("s3://events?addressing=dns", "path or virtual"),
        ("s3://KEY@events", "both keys"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_the_reason(
    url: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        s3.parse(url)


def test_keys_are_never_printed() -> None:
    bucket = s3.parse("s3://KEYNAME:hunter2@events/x")

    assert "hunter2" not in repr(bucket)
    assert "KEYNAME" not in repr(bucket)
    assert str(bucket) == "s3://events/x/"


def test_a_process_has_one_client_for_a_bucket() -> None:
    bucket = s3.parse("s3://A:B@events?endpoint=http://127.0.0.1:1")

    first = s3.client(bucket)

    assert s3.client(bucket) is first
    assert s3.client(s3.parse("s3://A:B@others?endpoint=http://127.0.0.1:1")) != first
    s3.forget_clients()
    assert s3.client(bucket) is not first
    s3.forget_clients()


def test_the_clients_waits_are_bounded() -> None:
    config = s3.client(s3.parse("s3://A:B@events?endpoint=http://127.0.0.1:1")).meta

    assert config.config.connect_timeout <= 5
    assert config.config.read_timeout <= 15
    assert config.config.retries["total_max_attempts"] <= 3
    s3.forget_clients()


def test_boto3_is_not_imported_before_a_client_is_made() -> None:
    code = (
        "import sys; from automate.lib import s3; s3.parse('s3://events'); "
        "print({'boto3', 'botocore'} & sys.modules.keys()); "
        "s3.client(s3.parse('s3://A:B@events?endpoint=http://127.0.0.1:1')); "
        "print(sorted({'boto3', 'botocore'} & sys.modules.keys()))"
    )

    said = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert said.splitlines() == ["set()", "['boto3', 'botocore']"]
