"""Payloads as objects in a bucket: S3, MinIO, whatever speaks like them.

Imported only where such a store is set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from automate.lib import s3
from automate.lib.payloads.base import (
    PayloadError,
    PayloadMissing,
    PayloadStore,
    PayloadStoreAway,
    made_at,
)

T = TypeVar("T")
_AT_ONCE = 8
_PAGE = 1000  # the most that one request deletes
_GONE = ("NoSuchKey", "404", "NotFound")


class S3Store(PayloadStore):
    """One object a payload, `<prefix>ab/<reference>`.

    While the bucket cannot be reached, one call at a time finds out whether it is
    back; the others are told at once, so that no thread waits for what is known.
    """

    kind = "s3"

    def __init__(self, bucket: s3.Bucket) -> None:
        self._bucket = bucket
        self._failing = False
        self._trying = threading.Lock()

    def __str__(self) -> str:
        return str(self._bucket)

    def write(self, reference: UUID, data: bytes) -> None:
        """See PayloadStore."""
        self._call(
            lambda client: client.put_object(
                Bucket=self._bucket.name,
                Key=self._key(reference),
                Body=data,
                ContentType="application/octet-stream",
            )
        )

    def get(self, reference: UUID) -> bytes:
        """See PayloadStore."""

        def read(client: Any) -> bytes:
            answer = client.get_object(
                Bucket=self._bucket.name, Key=self._key(reference)
            )
            with answer["Body"] as body:
                data: bytes = body.read()
            return data

        try:
            return self._call(read)
        except _Gone:
            msg = f"payload {reference} is missing from {self}"
            raise PayloadMissing(msg) from None

    def get_many(
        self, references: Sequence[UUID]
    ) -> Mapping[UUID, bytes | PayloadError]:
        """See PayloadStore; several at once."""
        if len(references) < 2:
            return super().get_many(references)
        with ThreadPoolExecutor(min(_AT_ONCE, len(references))) as pool:
            found = pool.map(self._get_or_say, references)
            return dict(zip(references, found, strict=True))

    def delete(self, references: Iterable[UUID]) -> None:
        """See PayloadStore."""
        for page in _pages(references):
            objects = [{"Key": self._key(item)} for item in page]
            answer = self._call(
                lambda client, objects=objects: client.delete_objects(  # type: ignore[misc]
                    Bucket=self._bucket.name,
                    Delete={"Objects": objects, "Quiet": True},
                )
            )
            refused = [
                item.get("Code", "")
                for item in answer.get("Errors", ())
                if item.get("Code") not in _GONE
            ]
            if refused:
                raise PayloadStoreAway(f"{self} deletes nothing: {refused[0]}")

    def references(self, before: datetime) -> Iterator[UUID]:
        """See PayloadStore."""
        token: dict[str, str] = {}
        while True:
            page = self._call(
                lambda client, token=token: client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self._bucket.name, Prefix=self._bucket.prefix, **token
                )
            )
            for item in page.get("Contents", ()):
                with suppress(ValueError):  # nothing of ours
                    reference = UUID(hex=item["Key"].rpartition("/")[2])
                    if made_at(reference) < before:
                        yield reference
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _key(self, reference: UUID) -> str:
        return f"{self._bucket.prefix}{reference.hex[-2:]}/{reference.hex}"

    def _call(self, work: Callable[[Any], T]) -> T:
        """Raises _Gone and PayloadStoreAway."""
        if not self._failing:
            return self._attempt(work)
        if not self._trying.acquire(blocking=False):
            raise PayloadStoreAway(f"{self} cannot be reached")
        try:
            return self._attempt(work)
        finally:
            self._trying.release()

    def _attempt(self, work: Callable[[Any], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            result = work(s3.client(self._bucket))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            self._failing = code not in _GONE
            if not self._failing:
                raise _Gone from error
            raise PayloadStoreAway(f"{self} refuses: {code}") from error
        except (BotoCoreError, HTTPClientError, OSError) as error:
            self._failing = True
            reason = type(error).__name__
            raise PayloadStoreAway(f"{self} cannot be reached: {reason}") from error
        self._failing = False
        return result


class _Gone(Exception):
    """No object of this name."""


def _pages(references: Iterable[UUID]) -> Iterator[Sequence[UUID]]:
    rest = iter(references)
    while page := list(islice(rest, _PAGE)):
        yield page
