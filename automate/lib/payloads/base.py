"""The contract of a payload store: encrypted bytes under a reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from automate.lib.ids import uuid7


class PayloadError(Exception):
    """A stored payload could not be had; the message names it and its store."""


class PayloadMissing(PayloadError):
    """The store answers, and has nothing under this reference."""


class PayloadStoreAway(PayloadError):
    """The store cannot be reached or refuses; later it may work again."""


class PayloadStore(ABC):
    """Keeps bytes, encrypted already, under references that sort by time (UUIDv7).

    `external` stores take part in no transaction of the database: they are written
    before it and deleted from after it, and never touched while one is open. One
    instance serves every thread of a process.
    """

    kind: ClassVar[str]
    external: ClassVar[bool] = True

    def put(self, data: bytes) -> UUID:
        """Store the bytes under a new reference; when this returns they are durable.

        Raises PayloadStoreAway; then nobody learns the reference.
        """
        reference = uuid7()
        self.write(reference, data)
        return reference

    @abstractmethod
    def write(self, reference: UUID, data: bytes) -> None:
        """Store the bytes durably under this reference, whole or not at all.

        Takes the place of what was there. Raises PayloadStoreAway.
        """

    @abstractmethod
    def get(self, reference: UUID) -> bytes:
        """The bytes. Raises PayloadMissing or PayloadStoreAway."""

    def get_many(
        self, references: Sequence[UUID]
    ) -> Mapping[UUID, bytes | PayloadError]:
        """Each one's bytes, or why they could not be had."""
        return {item: self._get_or_say(item) for item in references}

    def _get_or_say(self, reference: UUID) -> bytes | PayloadError:
        try:
            return self.get(reference)
        except PayloadError as error:
            return error

    @abstractmethod
    def delete(self, references: Iterable[UUID]) -> None:
        """Forget these; those that are not there count as forgotten.

        Raises PayloadStoreAway, perhaps with some of them gone.
        """

    @abstractmethod
    def references(self, before: datetime) -> Iterator[UUID]:
        """Everything that was first put before this aware time, in no order.

        Raises PayloadStoreAway.
        """


def made_at(reference: UUID) -> datetime:
    """When a reference was made, by the clock of its host."""
    return datetime.fromtimestamp((reference.int >> 80) / 1000, UTC)
