"""One event on its way through the gates: what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.conf import settings

from automate.lib import cloudevents, multipart
from automate.lib.given_secrets import given_secrets
from automate.lib.jsonio import storable_text
from automate.lib.redaction import Redactor
from automate.lib.sliding import Standing
from runs.engine.payload import parse_body, parse_parts
from webhooks.headers import read_headers, safe_headers, source_ip
from webhooks.lookup import Entry, variables_of
from webhooks.record import Rejected
from webhooks.schemes import Verified
from webhooks.weight import bearable, refuse_heavy
from workflows.triggers.schemes import proof_headers

MAX_QUERY_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as the server hands it over, with nothing read and nothing believed.

    `address` is a trigger's key or path, `environ` is WSGI's.
    """

    method: str
    address: str
    environ: Mapping[str, Any] = field(repr=False)
    url: str = ""


class Arrival:
    """An event and what the gates have found out; each gate adds what it is for.

    `gate` is the one it stands at. `decisions` say by which of the trigger's words it
    was let pass, and are kept with the run; `seen` are the sender's, kept encrypted and
    only when it does not become one.
    """

    def __init__(self, incoming: Incoming, now: datetime) -> None:
        self.incoming = incoming
        self.now = now
        self.headers = read_headers(incoming.environ)
        self.found: Entry | None = None
        self.body = b""
        self.size = 0
        self.verified = Verified()
        self.standing: Standing | None = None  # where the trigger has a rate limit
        self.gate = ""
        self.decisions: dict[str, Any] = {}
        self.seen: dict[str, Any] = {}
        self.is_member = False
        self._variables: dict[UUID, Mapping[str, Any]] = {}  # shared by all of a batch
        # What a CloudEvent says of itself; None for everything else.
        self.event: Mapping[str, Any] | None = None

    def member(self, body: bytes, place: str) -> Arrival:
        """The arrival of one event of this batch of CloudEvents.

        Raises BadEvent, which names the place.
        """
        one = copy(self)
        one.is_member = True
        one.decisions, one.seen = dict(self.decisions), dict(self.seen)
        one.__dict__.pop("payload", None)
        one.headers = {**self.headers, "content-type": cloudevents.STRUCTURED}
        one.body = body
        one.size = len(body)
        one.event = cloudevents.attributes_of(bearable(body), place)
        return one

    @property
    def entry(self) -> Entry:
        """The trigger; only for gates behind the one that asks for it."""
        if self.found is None:
            raise LookupError("The trigger is not known yet.")
        return self.found

    def header(self, name: str) -> str:
        """The value of a header whatever its case; empty when it is missing."""
        return self.headers.get(name.lower(), "")

    @property
    def content_type(self) -> str:
        """The Content-Type header as it came."""
        return storable_text(self.header("content-type"))

    @property
    def is_json(self) -> bool:
        """Whether the sender says that the body is one JSON text."""
        media = self.header("content-type").partition(";")[0].strip().lower()
        return media.endswith(("/json", "+json"))

    @property
    def event_id(self) -> str:
        """The sender's id of the event, from wherever it is given."""
        rule = self.found.config.get("idempotency", {}) if self.found else {}
        found = (
            self.header(rule.get("header", ""))
            or (self.event or {}).get("id")
            or self.verified.event_id
            or self.header("idempotency-key")
            or self.header("webhook-id")
        )
        return storable_text(found)[:200]

    @cached_property
    def payload(self) -> Any:
        """The body as templates see it, the data of a CloudEvent.

        Raises BadJSON and BadMultipart for what is not what its type says, TurnedAway
        for a value that would take too much memory.
        """
        if self.body and multipart.is_multipart(self.content_type):
            return parse_parts(self.body, self.content_type)
        if self.is_json and self.body and self.mode != "structured":
            return bearable(self.body)
        if not self.content_type.startswith("text/"):
            refuse_heavy(self.body)  # it may be JSON all the same
        return parse_body(self.body, self.content_type)

    @property
    def cloud_id(self) -> str:
        """By what a CloudEvent is known: `source` and `id`; empty for others."""
        about = self.event
        return f"{about['source']} {about['id']}" if about else ""

    @property
    def mode(self) -> str:
        """How the request carries CloudEvents; empty for any other event."""
        return cloudevents.mode_of(self.content_type, self.headers)

    @cached_property
    def query(self) -> dict[str, str | list[str]]:
        """The query by name, repeated ones as lists. Raises ValueError for too many."""
        text = self.incoming.environ.get("QUERY_STRING", "")
        if not text:
            return {}
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
        found: dict[str, str | list[str]] = {}
        for name, value in pairs:
            before = found.get(name)
            if before is None:
                found[name] = value
            elif isinstance(before, list):
                before.append(value)
            else:
                found[name] = [before, value]
        return found

    @cached_property
    def safe_headers(self) -> dict[str, str]:
        """The headers that the run keeps."""
        return safe_headers(self.headers, proof_headers(self.entry.config))

    @cached_property
    def source_ip(self) -> str | None:
        """The sender's address, behind the proxies that we trust."""
        return source_ip(
            self.incoming.environ.get("REMOTE_ADDR", ""),
            self.header("x-forwarded-for"),
            settings.TRUSTED_PROXIES,
        )

    def scope(self, *, variables: bool) -> dict[str, Any]:
        """What a trigger's expressions may refer to; `variables` cost one query."""
        trigger = {
            "payload": self.payload,
            "headers": self.safe_headers,
            "query": self.query,
            "id": self.event_id,
            "event": self.event,
        }
        version = self.entry.version_id
        if not variables or version is None:
            return {"trigger": trigger, "variables": {}}
        if version not in self._variables:
            self._variables[version] = variables_of(version)
        return {"trigger": trigger, "variables": self._variables[version]}

    def redactor(self) -> Redactor:
        """What hides, in words about this event, what it names a secret itself."""
        return Redactor(given_secrets([self.payload, self.query, self.event]))

    def rejected(
        self,
        reason: str,
        status: int,
        detail: str = "",
        first_run_id: UUID | None = None,
    ) -> Rejected:
        """What is recorded of this event when it does not become a run."""
        return Rejected(
            self.found.trigger_id if self.found else None,
            reason,
            status,
            detail,
            self.event_id,
            first_run_id,
            self.source_ip,
            self.size,
            self.gate,
            {**self.decisions, **self.seen},
        )
