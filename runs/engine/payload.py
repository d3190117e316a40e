"""What templates see of the event: the body parsed, once for engine and readers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from automate.lib import bodies, cloudevents, jsonio, multipart
from automate.lib.encryption import is_readable
from automate.lib.payloads import opened
from automate.lib.sealed import Elsewhere, Unreadable
from runs.engine.files import DATA, file_of, is_file, reference_to
from runs.models import Run

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10_000
# `trigger` where nothing came from outside.
NO_EVENT: Mapping[str, Any] = MappingProxyType(
    {"payload": None, "headers": {}, "query": {}, "id": "", "event": None}
)


class UnreadablePayload(Exception):
    """The run's payload is encrypted under a key that the ring does not hold."""


def parse_body(body: bytes, content_type: str, *, reference: str = "") -> Any:
    """What templates see of a body; empty is None.

    JSON as its tree, a form as a mapping of names to texts, or lists where a name is
    repeated, with files (`runs.engine.files`) where it came in parts, a CloudEvent as
    its data, text as text, anything else as a file. The stored bytes stay as they are.
    What claims to be JSON or a form and is not, is given as text or a file. `reference`
    is what a file refers to, where that is not the run's body.
    """
    if not body:
        return None
    media = bodies.media_type(content_type)
    if media == FORM and body.count(b"&") < MAX_FIELDS:
        return by_name(
            parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        )
    try:
        if media == multipart.MEDIA_TYPE:
            return parse_parts(body, content_type)
        if not media.startswith("text/") or media == "text/json":
            tree = jsonio.loads(body)
            is_event = media == cloudevents.STRUCTURED and isinstance(tree, dict)
            return _data(tree) if is_event else tree
    except (jsonio.BadJSON, multipart.BadMultipart, cloudevents.BadEvent):
        pass
    text = bodies.decode(body, content_type)
    if text is not None:
        return text
    return file_of(body, content_type=content_type, reference=reference)


def parse_parts(body: bytes, content_type: str) -> dict[str, Any]:
    """The fields and files of multipart/form-data; raises BadMultipart."""
    pairs: list[tuple[str, Any]] = []
    for part in multipart.parts_of(body, content_type):
        data = memoryview(body)[part.start : part.end]
        text = None
        if part.filename is None:
            text = bodies.decode(bytes(data), part.content_type)
        value: Any = text
        if text is None:
            value = file_of(
                data,
                name=part.name,
                filename=part.filename or "",
                content_type=part.content_type,
                reference=reference_to(part.start, part.end),
            )
        pairs.append((part.name, value))
    return by_name(pairs)


def by_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of names to values, those of a repeated name as a list."""
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in repeated:
            found[name].append(value)
        else:
            found[name] = [found[name], value]
            repeated.add(name)
    return found


def parse_event(
    body: bytes, content_type: str, headers: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The attributes of the CloudEvent that came in this way; None when it is none."""
    mode = cloudevents.mode_of(content_type, headers)
    try:
        if mode == "binary":
            return cloudevents.attributes_in(headers, content_type)
        if mode == "structured":
            return cloudevents.attributes_of(jsonio.loads(body))
    except (jsonio.BadJSON, cloudevents.BadEvent):
        pass  # it came before such bodies were checked
    return None


def _data(event: dict[str, Any]) -> Any:
    """The data of a CloudEvent in the JSON format."""
    data = cloudevents.data_of(event)
    if data is None:
        return event.get("data")
    kind = cloudevents.content_type_of(event)
    if bodies.media_type(kind) in (multipart.MEDIA_TYPE, cloudevents.STRUCTURED):
        return file_of(data, content_type=kind, reference=DATA)
    return parse_body(data, kind, reference=DATA)


@dataclass(frozen=True, slots=True)
class Later:
    """The event's payload before a step reads it, which is large: its body unparsed.

    `body` are the bytes, or what says where they are or why they cannot be read.
    """

    body: bytes | Unreadable = field(repr=False)
    content_type: str = ""

    def of(self, body: bytes | Unreadable) -> Later:
        """The same with the body itself."""
        return replace(self, body=body)

    def parsed(self) -> Any:
        """What templates see. Raises UnreadablePayload unless the bytes are there."""
        return parse_body(readable(self.body, "body"), self.content_type)


def trigger_payload(run: Run) -> Any:
    """The event's payload as `{{ trigger.payload }}` gives it.

    Got from the payload store where it is there: not within a transaction. Raises
    UnreadablePayload when its key is missing, or the payload, or its store away.
    """
    return parse_body(readable(opened(run.body), "body"), run.content_type)


def item_of(run: Run) -> Any:
    """The item that a loop gave to this run; raises as above, and ValueError."""
    return json.loads(readable(run.body, "item"))


class Trigger(dict[str, Any]):
    """`trigger` as templates see it, and where the bytes of its files are.

    `source` is the body that the payload was parsed from, None where it is not kept.
    """

    source: Later | None = None

    def read(self, payload: Later) -> None:
        """Have the payload, and the event's attributes, of a body that is there."""
        self["payload"] = parsed = payload.parsed()
        body = payload.body
        if self["event"] is None and isinstance(body, bytes):
            self["event"] = parse_event(body, payload.content_type, self["headers"])
        kept = is_file(parsed) or multipart.is_multipart(payload.content_type)
        self.source = payload if kept else None


def trigger_scope(run: Run) -> Trigger:
    """`trigger` as templates see it: payload, headers, query, id, event.

    A payload that is in the payload store is `Later`, and then what a body says of its
    event is not there either.
    """
    body, kind = run.body, run.content_type
    headers = readable(run.headers, "headers")
    later = Later(body, kind)
    found = Trigger(
        payload=later,
        headers=headers,
        query=readable(run.query, "query"),
        id=run.event_id or str(run.pk),
        event=None,
    )
    if isinstance(body, Elsewhere):
        if cloudevents.mode_of(kind, headers) == "binary":
            found["event"] = parse_event(b"", kind, headers)
    else:
        found.read(later)
    return found


def readable(value: Any, name: str) -> Any:
    """`value`, unless its key is missing: then UnreadablePayload."""
    if not is_readable(value):
        raise UnreadablePayload(f"the run's {name} is {value}")
    return value


def run_scope(run: Run, workflow_slug: str, number: int) -> Mapping[str, Any]:
    """`run` as templates see it; nothing in it changes between attempts."""
    return {
        "id": str(run.pk),
        "workflow": workflow_slug,
        "version": number,
        "created_at": run.created_at.isoformat(),
        "replay_of": str(run.replay_of_id) if run.replay_of_id else None,
    }
