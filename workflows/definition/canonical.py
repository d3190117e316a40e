"""One byte string, and so one digest, for each definition."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(definition: Any) -> bytes:
    """UTF-8 JSON, keys sorted, no spaces, whole floats as integers.

    The last because jsonb gives 1e3 back as 1000: a definition has the same bytes
    before and after the database.
    """
    return json.dumps(
        _whole(definition),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


def digest(definition: Any) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical_json(definition)).hexdigest()


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
