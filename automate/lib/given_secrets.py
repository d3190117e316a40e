"""What a sender gave away under a name that says that it is a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automate.lib.redaction import Redactor

SHORTEST = 8  # characters: "admin" or "true" would black out half a page
MOST = 50
_is_sensitive = Redactor().is_sensitive


def given_secrets(tree: Any) -> frozenset[str]:
    """The texts that stand in a JSON tree under names which redaction hides.

    By name they are hidden where they stand; a template or a receiver may put them
    elsewhere, so these are to be hidden by value too. At most 50, of 8 characters or
    more.
    """
    found: set[str] = set()
    waiting: list[tuple[Any, bool]] = [(tree, False)]
    while waiting and len(found) < MOST:
        value, hidden = waiting.pop()
        if isinstance(value, str):
            if hidden and len(value) >= SHORTEST:
                found.add(value)
        elif isinstance(value, Mapping):
            for name, item in value.items():
                if isinstance(item, str | Mapping | list):
                    waiting.append((item, hidden or _is_sensitive(str(name))))
        elif isinstance(value, list):
            waiting += [(item, hidden) for item in value]
    return frozenset(found)
