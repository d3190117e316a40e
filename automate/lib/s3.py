"""S3 and what speaks like it: a bucket named by a URL, and a client for it.

    s3://bucket/prefix?endpoint=https://minio.example.com:9000&region=eu-central-1
    s3://ACCESS_KEY:SECRET_KEY@bucket

Without keys in the URL boto3 looks for them where it always does (AWS_ACCESS_KEY_ID
and AWS_SECRET_ACCESS_KEY, its files, the machine's role). boto3 is imported when the
first client is made, not before.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 10.0  # seconds without a byte
TRIES = 2
OPTIONS = ("endpoint", "region", "addressing")
ADDRESSING = ("path", "virtual")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and how it is reached. `prefix` is empty or ends with a slash.

    `addressing` is `path` (http://host/bucket/key, what MinIO expects and the default
    with an endpoint), `virtual` (http://bucket.host/key) or empty: as boto3 likes.
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    addressing: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}"


def parse(url: str) -> Bucket:
    """The bucket that an s3:// URL names. Raises ValueError, which says what is wrong.

    The message quotes no credentials.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise ValueError("an s3:// URL cannot be read") from None
    if parts.scheme != "s3" or not host or ":" in host:
        msg = "an S3 URL is written s3://bucket/prefix?endpoint=https://host:port"
        raise ValueError(msg)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        msg = f"unknown {', '.join(unknown)} in the S3 URL; known: {', '.join(OPTIONS)}"
        raise ValueError(msg)
    endpoint = options.get("endpoint", "")
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError("the endpoint of an S3 URL begins with http:// or https://")
    addressing = options.get("addressing", "path" if endpoint else "")
    if addressing and addressing not in ADDRESSING:
        raise ValueError("the addressing of an S3 URL is path or virtual")
    access, secret = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(access) != bool(secret):
        msg = "an S3 URL holds both keys (s3://ACCESS:SECRET@bucket) or none"
        raise ValueError(msg)
    prefix = unquote(parts.path).strip("/")
    return Bucket(
        name=host,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=endpoint.rstrip("/"),
        region=options.get("region", ""),
        addressing=addressing,
        access_key=access,
        secret_key=secret,
    )


_clients: dict[Bucket, Any] = {}
_resources: dict[Bucket, Any] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    # The parent's connections are the parent's, and its lock may be held.
    global _lock
    _lock = threading.Lock()
    _clients.clear()
    _resources.clear()


os.register_at_fork(after_in_child=_after_fork)


def client(bucket: Bucket) -> Any:
    """The process's boto3 client for this bucket; safe to share between threads."""
    found = _clients.get(bucket)
    if found is None:
        with _lock:
            found = _clients.get(bucket)
            if found is None:
                found = _clients[bucket] = _connect(bucket)
    return found


def resource(bucket: Bucket) -> Any:
    """The same as boto3's resource, whose threads share its connections too."""
    found = _resources.get(bucket)
    if found is None:
        with _lock:
            found = _resources.get(bucket)
            if found is None:
                found = _resources[bucket] = _connect(bucket, "resource")
    return found


def forget_clients() -> None:
    """Close every client; the next use makes new ones."""
    with _lock:
        clients = [*_clients.values()]
        clients += [item.meta.client for item in _resources.values()]
        _clients.clear()
        _resources.clear()
    for item in clients:
        item.close()


def _connect(bucket: Bucket, kind: str = "client") -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        max_pool_connections=64,
        proxies={},  # none from the environment
        # The checksums that newer clients add are unknown to some servers; what is
        # stored is authenticated anyway.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": bucket.addressing or "auto"},
    )
    # A session of its own: boto3's default one is not safe to make in threads.
    session = boto3.session.Session()
    return getattr(session, kind)(
        "s3",
        endpoint_url=bucket.endpoint or None,
        region_name=bucket.region or (session.region_name or "us-east-1"),
        aws_access_key_id=bucket.access_key or None,
        aws_secret_access_key=bucket.secret_key or None,
        config=config,
    )
