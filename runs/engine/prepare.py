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
    given = {name: _secret(held, name) for name in node.secrets}
    scope = held.scope
    if given:
        used.note(item.id for item in given.values())
        plain = {name: secret.value for name, secret in given.items()}
        scope = {**scope, "secrets": plain}
    if node.urls:
        urls = {name: address_of(held.run_id, name) for name in node.urls}
        scope = {**scope, "run": {**scope["run"], "urls": urls}}
    config = node.config
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
