"""The end of a run starts the workflow: of which workflows, and how it ended.

The stored config, every key optional:

    workflows   the slugs of workflows, or patterns ("billing-*"); absent: all
    statuses    of succeeded, failed, dead_letter, cancelled; absent: all
    condition   an expression over `trigger` (the payload below) that must be true

The payload tells of the run and holds none of its data:

    type, run_id, workflow, workflow_name, version, status, trigger, search_keys,
    created_at, started_at, finished_at, duration (seconds), stopped_by,
    error: null or {class, message, fingerprint}

A workflow's runs are told to workflows of the same team; those of a workflow without a
team to all. Items of a loop are part of their run and are not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from workflows import expressions
from workflows.triggers import written
from workflows.triggers.base import TriggerKind, register

STATUSES = ("succeeded", "failed", "dead_letter", "cancelled")
TYPE = "workflow.completed"  # of every end; `status` says which
SLUG = r"^[A-Za-z0-9_*?-]+$(?!\n)"


@register
class RunFinished(TriggerKind):
    """One run for each end that the config lets through."""

    kind = "run_finished"
    label = "A run's end"
    description = "The end of a run, of this team's workflows or those of no team."
    config_schema = {  # noqa: RUF012 - the contract's own type
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "workflows": {
                "title": "Workflows",
                "description": "Their slugs, or patterns: billing-*; absent: all",
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": {
                    "type": "string",
                    "maxLength": 100,
                    "pattern": SLUG,
                    "x-message": 'must be a slug or a pattern: "billing-*"',
                },
            },
            "statuses": {
                "title": "Statuses",
                "description": "How the run ended; absent: any way",
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(STATUSES)},
            },
            "condition": {
                "title": "Condition",
                "description": "{{ trigger.payload.duration > 60 }}",
                "type": "string",
                "minLength": 1,
                "maxLength": 4096,
            },
        },
    }

    def normalise(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Lists where people write a single name; statuses in small letters."""
        result = dict(config)
        for key in ("workflows", "statuses"):
            if isinstance(result.get(key), str):
                result[key] = [result[key]]
        if isinstance(result.get("statuses"), list):
            result["statuses"] = [
                item.lower() if isinstance(item, str) else item
                for item in result["statuses"]
            ]
        return result

    def written_schema(self) -> Mapping[str, Any]:
        return written.run_finished(self.config_schema)

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        source = config.get("condition")
        if source is None:
            return
        try:
            template = expressions.parse_condition(source)
        except expressions.TemplateError as error:
            yield "condition", error.message
            return
        roots = {str(path[0]) for path in template.references if path}
        for root in sorted(roots - {"trigger"}):
            yield "condition", f'cannot use "{root}": only trigger exists here'


def wants(config: Mapping[str, Any], slug: str, status: str) -> bool:
    """Whether a run of this workflow that ended so is one of those asked for."""
    statuses, slugs = config.get("statuses"), config.get("workflows")
    if statuses is not None and status not in statuses:
        return False
    return slugs is None or any(fnmatchcase(slug, pattern) for pattern in slugs)
