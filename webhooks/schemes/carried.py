"""What is common to schemes in which the secret itself travels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from webhooks.schemes.base import RawRequest, SignatureScheme, Verified


class CarriedSecret(SignatureScheme):
    """The id and name of an event are in headers that the config says, if any."""

    @abstractmethod
    def place(
        self, raw: RawRequest, config: Mapping[str, Any], secrets: Sequence[bytes]
    ) -> int:
        """The place of the secret that came. Raises SignatureRejected."""

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """Raises SignatureRejected."""
        return Verified(
            raw.header(config["id_header"]),
            raw.header(config["event_header"]),
            secret=self.place(raw, config, secrets),
        )
