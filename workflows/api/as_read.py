"""Taking back a workflow as it was read: `PUT` of what `GET` answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

from automate.lib import jsonio

READ_ONLY = (
    "id", "is_active", "webhook_url", "owner", "version", "created_at", "updated_at",
    "links", "warnings", "messages", "problems",
)  # fmt: skip
ONLY_OF_ROWS = ("id", "url", "next_fire_at")  # of a trigger


def writable(document: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what only reading gives, where it is as it is `shown`.

    What differs from it stays, for the document's reader to refuse. Variables and
    triggers are shown twice: those beside the definition give way to those in it.
    Triggers that no definition describes are shown once: as they are they stay so.
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
    if "triggers" not in definition and "triggers" in result:
        if result["triggers"] == known["triggers"]:
            result.pop("triggers")
        else:
            result["triggers"] = _entries(result["triggers"], known["triggers"])
    return result


def _entries(given: Any, known: Sequence[Mapping[str, Any]]) -> Any:
    """Triggers as they were read and changed, without what only reading gives."""
    if not isinstance(given, list):
        return given
    shown = {one["id"]: one for one in known}
    return [_entry(one, shown) if isinstance(one, Mapping) else one for one in given]


def _entry(
    given: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    id_ = given.get("id")
    known = shown.get(id_) if isinstance(id_, str) else None
    if known is None:
        return dict(given)
    return {
        name: value
        for name, value in given.items()
        if not (name in ONLY_OF_ROWS and value == known[name])
        and not (name == "node_id" and value is None)
    }
