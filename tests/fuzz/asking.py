"""How schemathesis is asked: its settings, of the description, and what there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from automate.openapi.document import description
from runs.models import DeliveryAttempt
from tests.walk.world import World, run_of

# Schema-valid requests may also be refused so, beside the operation's own reasons.
ALWAYS = ("2xx", "3xx", "401", "403", "404", "409", "429")
# The edge tells strangers nothing of a trigger: who they are comes before the method.
PROOF_FIRST = "send_event"
# Their body is that of `create_workflow`, whose every edge takes 700 requests.
SAME_BODY = ("replace_workflow", "change_workflow", "submit_workflow")
SEED = 20
REFUSED = ("400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429")
PATIENCE = 300.0  # seconds for one answer
HEAD = """\
seed = {seed}
hooks = "tests.fuzz.hooks"
suppress-health-check = ["all"]
# A machine that stands still has found nothing.
request-timeout = {patience}
wait-for-schema = {patience}
# What lies behind a reference is told once, in docs/openapi.json: texts hold no NUL.
generation.allow-x00 = false
generation.database = "none"
# What one role is told is not for the next one's run.
cache.enabled = false
# The key or token is what the caller sends; who has none makes no account to get one.
generation.with-security-parameters = false
auth.auto-signup = false
# A text that is too long may make a body that is: that is refused too.
checks.negative_data_rejection.expected-statuses = {refused}
"""
# Each run asks the same: nothing is learned from answers, which hold new ids each time.
SAME = """\
generation.deterministic = true
phases.coverage.extra-data-sources.responses = false
phases.fuzzing.extra-data-sources.responses = false
phases.fuzzing.error-feedback.enabled = false
"""
# How much is asked: all that is at an edge of what is permitted, and chains of calls.
PHASES = {
    "whole": "phases.stateful.generation.max-examples = {examples}\n",
    "short": "phases.coverage.enabled = false\nphases.stateful.enabled = false\n",
}


def settings(phases: str, examples: int, seed: int | None = None) -> str:
    """The settings as TOML; without a seed each run asks the same.

    An operation that says itself when it answers 400, 410, 412 or 422 may answer so to
    what fits its schema: those are rules that no schema can say.
    """
    head = HEAD.format(
        seed=SEED if seed is None else seed,
        patience=PATIENCE,
        refused=json.dumps(REFUSED),
    )
    parts = [head, SAME if seed is None else ""]
    parts.append(PHASES[phases].format(examples=examples))
    for item in description()["paths"].values():
        for operation in item.values():
            parts.append(_of(operation))
    return "".join(parts)


def _of(operation: dict[str, Any]) -> str:
    own = [
        status
        for status, said in operation["responses"].items()
        if status.startswith("4") and "$ref" not in said
    ]
    name = operation["operationId"]
    lines = [f'[[operations]]\ninclude-operation-id = "{name}"\n']
    expected = json.dumps(sorted({*ALWAYS, *own}))
    lines.append(f"checks.positive_data_acceptance.expected-statuses = {expected}\n")
    if name in SAME_BODY:
        lines.append("phases.coverage.enabled = false\n")
    if name == PROOF_FIRST:
        lines.append("checks.unsupported_method.enabled = false\n")
    return "".join(lines)


def known(world: World) -> dict[str, list[str]]:
    """What there is, by the name of a path's variable."""
    side = world.mine
    run = run_of(side)
    attempt = DeliveryAttempt.objects.filter(run=run).first()
    found: dict[str, list[Any]] = {
        "run_id": [run.pk],
        "key": [side.row("runs.campaign").pk],
        "step": ["ask", attempt.step_run.node_id if attempt else "ask"],
        "key_id": [side.row("accounts.apikey").pk],
        "workflow": [
            side.row("workflows.workflow").slug,
            side.row("workflows.workflow").pk,
        ],
        "number": [1, 2],
        "webhook_id": [side.row("workflows.trigger").pk],
        "secret_id": [side.row("workflows.secret").pk],
        "connection_id": [side.row("workflows.connection").pk],
    }
    return {name: [str(one) for one in rows] for name, rows in found.items()}


def write(folder: Path, world: World, examples: int, seed: int | None) -> None:
    """The files that schemathesis reads."""
    (folder / "world.json").write_text(json.dumps(known(world)))
    for phases in PHASES:
        (folder / f"{phases}.toml").write_text(settings(phases, examples, seed))
