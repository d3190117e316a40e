"""Step kind `run_workflow`: one run of another workflow."""

from __future__ import annotations

from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.for_each import MAX_TOTAL, size_of
from workflows.actions.outcomes import ErrorInfo, Fail, Outcome, StartChildren


@register
class RunWorkflow(Action):
    """Starts the published version; its output is `{"run_id", "status", "output"}`.

    `input` is what the other workflow sees as `trigger.payload`. With `wait` false the
    step is done once the run is stored.
    """

    kind = "run_workflow"
    label = "Run a workflow"
    description = "Runs another workflow and goes on with what it gives."
    calls = True
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["workflow"],
        "properties": {
            "workflow": {
                "title": "Workflow",
                "description": "The short name (slug) of a published workflow",
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
            },
            "input": {
                "title": "Input",
                "description": "What it gets as trigger.payload",
            },
            "variables": {
                "title": "Variables",
                "description": "Instead of its own of the same names",
                "type": "object",
            },
            "wait": {
                "title": "Wait for its end",
                "type": "boolean",
                "default": True,
            },
        },
    }

    def execute(self, context: Context) -> Outcome:
        config = context.config
        variables = config.get("variables") or {}
        try:
            slug = config["workflow"]
            if not isinstance(slug, str) or not slug:
                raise ValueError("workflow must be the short name of a workflow")
            if not isinstance(variables, dict):
                raise ValueError("variables must be an object of names and values")
            size = size_of([config.get("input"), variables], "the input")
            if size > MAX_TOTAL:
                raise ValueError(
                    f"input and variables have {size:,} bytes as JSON; they may have "
                    f"{MAX_TOTAL:,}"
                )
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", context.redactor.text(str(error))))
        return StartChildren(
            (config.get("input"),),
            workflow=slug,
            variables=variables,
            waits=config.get("wait", True) is not False,
        )
