"""The JSON Schema of documents, as it is published and given to editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automate.lib.durations import TEXT_PATTERN
from workflows.actions.base import all_actions
from workflows.definition.document_schema import Kinds, document_schema
from workflows.services.meta import COUNT, SCHEMA
from workflows.triggers.base import all_kinds

BUILT_IN = "workflows."


def published_schema(*, built_in: bool = False) -> dict[str, Any]:
    """The schema of what `parse_document` accepts, with the kinds of this installation.

    With `built_in` without those of plugins: the file in `docs/`.
    """

    def wanted(kind: object) -> bool:
        return not built_in or type(kind).__module__.startswith(BUILT_IN)

    kinds = Kinds(
        {name: kind for name, kind in all_actions().items() if wanted(kind)},
        {
            name: kind.written_schema()
            for name, kind in all_kinds().items()
            if wanted(kind)
        },
        _meta(),
    )
    return document_schema(kinds)


def schema_text(*, built_in: bool = False) -> str:
    """The schema as the text of its file."""
    schema = published_schema(built_in=built_in)
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _meta() -> Mapping[str, Any]:
    """The workflow's own keys as they may be written."""
    properties = dict(SCHEMA["properties"])
    duration = {"type": "string", "pattern": TEXT_PATTERN}
    properties["run_timeout"] = {"anyOf": [COUNT, duration]}
    return {**SCHEMA, "properties": properties}
