"""An S3 server for tests: moto's on a real socket, or the one at TEST_S3_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from automate.lib import s3
from automate.lib.ids import new_key

BUCKET = "automate-tests"


@contextmanager
def object_store() -> Iterator[str]:
    """The s3:// URL of an empty place in a bucket; a new prefix each time."""
    url = os.environ.get("TEST_S3_URL", "")
    if url:
        yield _below(url)
        return
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = urlencode(
            {"endpoint": f"http://{host}:{port}", "region": "us-east-1"}
        )
        url = f"s3://testing:testing@{BUCKET}?{options}"
        s3.client(s3.parse(url)).create_bucket(Bucket=BUCKET)
        yield _below(url)
    finally:
        s3.forget_clients()
        server.stop()


def _below(url: str) -> str:
    """The same bucket with a prefix of its own."""
    address, _, options = url.partition("?")
    return f"{address.rstrip('/')}/{new_key()}?{options}"


def fresh(url: str) -> str:
    """Another empty place beside that of an `object_store`."""
    return _below(url)
