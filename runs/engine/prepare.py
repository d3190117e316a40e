"""What a step needs before it can be executed: its config rendered, secrets in hand."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from automate.lib.net.url import common_hosts
from automate.lib.redaction import Redactor
from runs.addresses import address_of
from runs.engine import large, used
from runs.engine.held import Held, UsedSecret
from runs.engine.task import Task
from workflows import expressions
from workflows.actions.base import ConnectionData, RunInfo


class MissingSupply(Exception):
    """The step names a secret or connection that the run may not use."""


def prepare(task: Task) -> tuple[Mapping[str, Any], Redactor, dict[str, Any]]:
    """The rendered config, a redactor for all the run's secrets, and context parts.

    Fetches what the step reads from the payload store. Raises ExpressionError,
    MissingSupply, PayloadGone and PayloadStoreAway.
    """
    held, node = task.held, task.node
    large.bring(held, node)
    version = held.version
    assert version is not None  # noqa: S101 - only loaded runs are performed
    asked = node.verify if task.verify else None
    names, urls = (asked or node).secrets, (asked or node).urls
    given = {name: _secret(held, name) for name in names}
    scope = _keyed(task)
    if given:
        used.note(item.id for item in given.values())
        plain = {name: secret.value for name, secret in given.items()}
        scope = {**scope, "secrets": plain}
    if urls:
        each = {name: address_of(held.run_id, name) for name in urls}
        scope = {**scope, "run": {**scope["run"], "urls": each}}
    config = asked.request if asked else node.config
    if node.action.render:
        config = expressions.render(
            config,
            scope,
            known_names=version.step_ids,
            conditions=node.action.condition_fields,
        )
    link = _connection(held, node.connection) if node.connection else None
    parts = {
        "connection": link,
        "allowed_hosts": _hosts_of(given),
        "read_file": functools.partial(large.read_file, held),
        "run": RunInfo(
            id=str(held.run_id),
            workflow=held.scope["run"]["workflow"],
            version=version.number,
            traceparent=held.run.traceparent,
            workflow_id=str(version.workflow_id),
        ),
    }
    return config, held.supplies.redactor, parts


def _keyed(task: Task) -> dict[str, Any]:
    """The run's scope, with the step's idempotency key where it asks for it."""
    scope = task.held.scope
    if not task.node.keyed:
        return scope
    return {**scope, "run": {**scope["run"], "idempotency_key": task.key}}


def judge(task: Task, answer: Any) -> tuple[bool, Any]:
    """Whether this answer to the verify request says that it happened; the output.

    Raises ExpressionError.
    """
    asked, version = task.node.verify, task.held.version
    assert asked is not None  # noqa: S101 - see must_verify
    assert version is not None  # noqa: S101 - only loaded runs are performed
    scope = _keyed(task)
    scope = {**scope, "run": {**scope["run"], "answer": answer}}
    known = version.step_ids
    if not expressions.truth(asked.happened, scope, known_names=known):
        return False, None
    return True, expressions.render(asked.output, scope, known_names=known)


def _secret(held: Held, name: str) -> UsedSecret:
    secret = held.supplies.secrets.get(name)
    if secret is None:
        why = held.supplies.missing.get(name, "does not exist for this workflow's team")
        raise MissingSupply(f"the secret {name} {why}")
    return secret


def _hosts_of(given: Mapping[str, UsedSecret]) -> frozenset[str]:
    """The hosts that may get all of these secrets; empty when each may go anywhere.

    Raises MissingSupply when they have none in common.
    """
    limited = {name: item.allowed_hosts for name, item in given.items()}
    limited = {name: hosts for name, hosts in sorted(limited.items()) if hosts}
    if not limited:
        return frozenset()
    common = functools.reduce(common_hosts, limited.values())
    if not common:
        each = "; ".join(
            f"{name} for {', '.join(sorted(hosts))}" for name, hosts in limited.items()
        )
        raise MissingSupply(f"the secrets used are for different hosts: {each}")
    return common


def _connection(held: Held, name: str) -> ConnectionData:
    link = held.supplies.connections.get(name)
    if link is None:
        why = held.supplies.missing.get(name, "does not exist for this workflow's team")
        raise MissingSupply(f"the connection {name} {why}")
    return link
