"""Whether two events that share an identity are the same: the hash that tells.

Of most events the bytes decide. A CloudEvent is the same however it travels, in
headers, in an envelope or in a batch: its data decide, and the attributes that the
specification names. Extensions do not: what passes an event on may add some.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from automate.lib import cloudevents, jsonio
from automate.lib.bodies import decode, media_type
from webhooks.arrival import Arrival
from webhooks.weight import bearable

JSON = "application/json"
COMPARED = ("id", "source", "type", "subject", "time", "dataschema")


def content_hash(arrival: Arrival) -> str:
    """SHA-256, hexadecimal: equal for events that say the same."""
    content = arrival.body if arrival.event is None else _said(arrival, arrival.event)
    return hashlib.sha256(content).hexdigest()


def _said(arrival: Arrival, about: Mapping[str, Any]) -> bytes:
    """Attributes and data in one form."""
    kind = str(about.get("datacontenttype") or JSON)
    parts = {name: about[name] for name in COMPARED if name in about}
    parts["datacontenttype"] = media_type(kind)
    data = _data(arrival, kind)
    if isinstance(data, bytes):
        parts["bytes"] = hashlib.sha256(data).hexdigest()
    elif data not in (None, ""):
        parts["data"] = data
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


def _data(arrival: Arrival, kind: str) -> Any:
    """The data as a JSON value or a text where its type says so, else as bytes."""
    raw: bytes | None = arrival.body
    if arrival.mode == "structured":
        event = jsonio.loads(arrival.body)
        raw = cloudevents.data_of(event)
        if raw is None:
            return event.get("data")
    if not raw:
        return None
    if media_type(kind).endswith(("/json", "+json")):
        try:
            return bearable(raw)
        except jsonio.BadJSON:
            return raw
    text = decode(raw, kind)
    return raw if text is None else text
