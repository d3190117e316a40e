"""Taking back a workflow as it was read: `PUT` of what `GET` answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

from automate.lib import jsonio

READ_ONLY = (
    "id", "is_active", "webhook_url", "owner", "version", "created_at", "updated_at",
    "links", "warnings", "messages", "problems",
)  # fmt: skip


def writable(document: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what only reading gives, where it is as it is `shown`.

    What differs from it stays, for the document's reader to refuse. Variables and
    triggers are shown twice: those beside the definition give way to those in it.
    """
    known = jsonio.loads(JSONEncoder().encode(shown))
    result = {
        name: value
        for name, value in document.items()
        if name not in READ_ONLY or (name in known and value != known[name])
    }
    definition = result.get("definition")
    if not isinstance(definition, Mapping):
        return result
    for name in ("variables", "triggers"):
        if name in definition and result.get(name) == known[name]:
            result.pop(name, None)
    return result
