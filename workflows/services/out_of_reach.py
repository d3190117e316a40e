"""What publishing warns of: addresses that the guard refuses under these settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from automate.lib.net import Policy, literal_refusal
from workflows.actions import base as actions
from workflows.definition import Problem, walk_nodes
from workflows.definition.problems import place
from workflows.models import Connection, Workflow
from workflows.services.credentials import usable_by

URLS = (("url",), ("verify", "url"))


def out_of_reach(
    workflow: Workflow, definition: Mapping[str, Any]
) -> Iterator[Problem]:
    """A warning for each step whose request would be refused; at most one query.

    Only addresses that stand there as they are, in the step or as the base URL of its
    connection: what a name leads to is known when it is asked for.
    """
    named: list[tuple[str, str]] = []
    for item in walk_nodes(definition):
        if not actions.get(item.node["type"]).sends:
            continue
        config = item.node["config"]
        path = place(item.path, "config")
        for keys in URLS:
            why = refusal_of(_within(config, keys))
            if why:
                yield Problem(place(path, *keys), f"will be refused: {why}")
        if isinstance(name := config.get("connection"), str):
            named.append((place(path, "connection"), name))
    yield from _connections(workflow, named)


def unreachable(connection: Connection) -> list[Problem]:
    """A warning for each address of a connection that the guard will refuse."""
    urls = {
        "base_url": connection.base_url,
        "options.token_url": (connection.options or {}).get("token_url"),
        "proxy": connection.proxy,
    }
    return [
        Problem(name, f"requests to it will be refused: {why}")
        for name, url in urls.items()
        if (why := refusal_of(url))
    ]


def refusal_of(url: object) -> str:
    """Why a request to this URL will be refused, if that can be told already."""
    if not isinstance(url, str):
        return ""
    permitted = settings.ALLOWED_NETWORKS or settings.SERVED_NETWORKS
    return literal_refusal(Policy(permitted), url)


def _within(config: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def _connections(workflow: Workflow, named: list[tuple[str, str]]) -> Iterator[Problem]:
    names = {name for _, name in named}
    if not names:
        return
    found = Connection.objects.filter(usable_by(workflow.team), name__in=names)
    rows = found.values_list("team_id", "name", "base_url")
    # A team's own stands for the shared one of its name.
    own_last = sorted(rows, key=lambda row: row[0] is not None)
    urls = {name: url for _, name, url in own_last}
    for path, name in named:
        why = refusal_of(urls.get(name))
        if why:
            yield Problem(path, f"leads to an address that will be refused: {why}")
