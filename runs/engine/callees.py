"""The workflows that steps want to run: found when the step has said which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from runs.engine.exclusive import Key
from runs.engine.exclusive_key import key_of
from runs.engine.held import Held
from runs.engine.loops import Callee
from runs.engine.payload import NO_EVENT
from runs.models import Run, StepRun
from runs.states import StepStatus
from workflows.actions.outcomes import StartChildren
from workflows.definition.overrides import overriding
from workflows.expressions import ExpressionError
from workflows.models import Workflow, WorkflowVersion
from workflows.services.calls import refusal

Calls = Collection[tuple[Held, StartChildren]]


def look_up(wanted: Iterable[tuple[Held, StartChildren]]) -> None:
    """Fill `callees` of these runs: the workflows that they name, or why not; a query.

    No query when none is named. One more where variables are given or a workflow is
    exclusive, and one a level above where it is exclusive and waited for.
    """
    calls = [pair for pair in wanted if pair[1].workflow]
    if not calls:
        return
    slugs = {call.workflow for _, call in calls}
    found = {item.slug: item for item in Workflow.objects.filter(slug__in=slugs)}
    declared = _declared(calls, found)
    above = _keys_above(
        held
        for held, call in calls
        if call.waits and call.workflow in found and found[call.workflow].exclusive
    )
    for held, call in calls:
        slug = call.workflow
        keys = above.get(held.run_id, frozenset())
        held.callees[slug] = _callee(found.get(slug), slug, held, declared, keys)


def _declared(
    calls: Calls, found: Mapping[str, Workflow]
) -> dict[UUID, Mapping[str, Any]]:
    """The variables of the versions of which something must know them."""
    wanted = {
        workflow.published_id
        for _, call in calls
        if (workflow := found.get(call.workflow)) is not None
        and (workflow.exclusive or call.variables)
    }
    if not wanted:
        return {}
    rows = WorkflowVersion.objects.filter(pk__in=wanted)
    variables = rows.values_list("pk", "definition__variables")
    return {pk: own if isinstance(own, dict) else {} for pk, own in variables}


def _keys_above(calling: Iterable[Held]) -> dict[UUID, frozenset[Key]]:
    """The exclusive keys of all runs that wait for these, directly or not; by run.

    Each of those keeps its key until what it waits for has ended.
    """
    runs = {held.run_id: held.run for held in calling}
    keys: dict[UUID, set[Key]] = {run_id: set() for run_id in runs}
    below = {
        run_id: {run_id} for run_id in runs
    }  # by the run looked at: whom it is for
    while below:
        rows = Run.objects.filter(
            Exists(
                StepRun.objects.filter(
                    run=OuterRef("parent"),
                    node_id=OuterRef("parent_node"),
                    status=StepStatus.WAITING,
                )
            ),
            pk__in=below,
            replay_of=None,
        )
        parents = rows.annotate(
            over=F("parent__workflow"), key=F("parent__job__exclusive_key")
        )
        above: dict[UUID, set[UUID]] = {}
        for run_id, parent, workflow, key in parents.values_list(
            "pk", "parent", "over", "key"
        ):
            assert parent is not None  # noqa: S101 - it has a step that waits
            above.setdefault(parent, set()).update(below[run_id])
            if key:
                for caller in below[run_id]:
                    keys[caller].add(Key(workflow, key))
        below = above
    return {run_id: frozenset(found) for run_id, found in keys.items()}


def _callee(
    workflow: Workflow | None,
    slug: str,
    held: Held,
    declared: Mapping[UUID, Mapping[str, Any]],
    above: Collection[Key],
) -> Callee | str:
    why = refusal(workflow, slug, held.team_id)
    if why or workflow is None or workflow.published_id is None:
        return f"{why[:1].upper()}{why[1:]}."
    return Callee(
        workflow_id=workflow.pk,
        version_id=workflow.published_id,
        run_timeout=workflow.run_timeout,
        exclusive=workflow.exclusive,
        declared=declared.get(workflow.published_id, {}),
        keys_above=frozenset(
            item.key for item in above if item.workflow_id == workflow.pk
        ),
    )


def variables_for(callee: Callee, outcome: StartChildren) -> dict[str, Any]:
    """The variables that the run is given, all of them declared.

    Raises ValueError, with everything that is wrong.
    """
    if not outcome.variables:
        return {}
    values, wrong = overriding(callee.declared, outcome.variables)
    if wrong:
        raise ValueError(f"It cannot be given these variables: {'; '.join(wrong)}")
    return values


def key_for(callee: Callee, held: Held, outcome: StartChildren) -> str:
    """The exclusive key of the run that this step starts; empty when it has none.

    Raises ValueError, with the reason, when it cannot be told or could never be had.
    """
    if not callee.exclusive:
        return ""
    trigger = {**NO_EVENT, "payload": outcome.inputs[0]}
    variables = {**callee.declared, **outcome.variables}
    try:
        key = key_of(callee.exclusive, {"trigger": trigger, "variables": variables})
    except ExpressionError as error:
        raise ValueError(f"Its `exclusive` fails: {error}.") from None
    if not key or not outcome.waits:
        return key
    whose = ""
    if callee.workflow_id == held.workflow_id and key == held.exclusive_key:
        whose = "this run"
    elif key in callee.keys_above:
        whose = "a run that waits for this one"
    if whose:
        raise ValueError(
            f"It has the same exclusive key as {whose}: each would wait for the other."
        )
    return key
