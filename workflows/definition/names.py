"""Ids for steps that came without one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from workflows.definition.schema import RESERVED_IDS

_LONGEST = 48


def slug(text: str) -> str:
    """ASCII letters, digits and hyphens, beginning with a letter; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9_]+", "-", plain.lower()).strip("-_")
    if words[:1].isdigit():
        words = f"step-{words}"
    return words[:_LONGEST].rstrip("-_")


def unique_id(node: Mapping[str, Any], taken: Collection[str]) -> str:
    """An id from the step's name, else its type, that is neither taken nor reserved."""
    candidates = (node.get("name"), node.get("type"), "step")
    base = next(filter(None, (slug(t) for t in candidates if isinstance(t, str))))
    if base in RESERVED_IDS:
        base = f"{base}-step"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
