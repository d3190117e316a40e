"""Names of fields with dots in them, as lodash reads them."""

from __future__ import annotations

import re

from workflows.integrations.n8n.data import Path

_KEY = re.compile(r"([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]")


def lodash_path(name: str) -> Path:
    """`a.b[0]` as its keys."""
    if not re.search(r"[.\[]", name):
        return (name,)
    found: list[str | int] = []
    for match in _KEY.finditer(name):
        found.append(int(match[2]) if match[2] else match[1] or match[3] or "")
    return tuple(found) or (name,)
