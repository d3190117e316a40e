"""Other workflows."""

from __future__ import annotations

from typing import Any

from workflows.integrations.n8n.data import Plain
from workflows.integrations.n8n.nodes.base import (
    Job,
    Made,
    Unsupported,
    connection_name,
    converts,
)
from workflows.integrations.n8n.source import mapping, text


@converts("executeWorkflow")
def execute_workflow(job: Job) -> Made:
    source = job.plain("source", "database")
    if source != "database":
        raise Unsupported(f'the other workflow comes from "{source[:40]}"')
    config: dict[str, Any] = {"workflow": _slug(job)}
    inputs = mapping(mapping(job.parameters.get("workflowInputs")).get("value"))
    if inputs:
        config["input"] = job.values.value(dict(inputs))
    else:
        config["input"] = job.values.scope.checked(f"{{{{ {job.input().source} }}}}")
    if job.options.get("waitForSubWorkflow") is False:
        config["wait"] = False
    if text(job.parameters.get("mode")) == "each":
        job.note("it runs once, not once for each item")
    return Made("run_workflow", config, Plain(f"{job.root}.output"))


def _slug(job: Job) -> str:
    """The short name of the workflow that has this id in n8n, as far as it is known."""
    given = job.parameters.get("workflowId")
    chosen = mapping(given)
    id_ = text(chosen.get("value") if chosen else given).strip()
    if id_.startswith("="):
        if "$workflow.id" in id_:
            raise Unsupported("it runs the workflow itself")
        raise Unsupported("the other workflow is chosen by an expression")
    if not id_:
        raise Unsupported("it names no workflow")
    if id_ in job.slugs:
        job.remark("publish the other workflow first")
        return job.slugs[id_]
    name = text(chosen.get("cachedResultName")) or id_
    slug = connection_name(name)
    job.note(
        "the other workflow gives its output, or the output of its last step: "
        "steps.ID.output"
    )
    job.note(
        f'the workflow "{name[:100]}" ({id_[:40]}) has not been imported: "{slug}" '
        "stands for it"
    )
    return slug
