"""Workflows are read from a running n8n and imported; nothing is changed there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.conf import settings

from automate.accounts.audit import record
from automate.lib.net import Client, Policy
from workflows.integrations.n8n.client import N8nApi, N8nError, base_url
from workflows.integrations.n8n.source import NotAWorkflow, read_workflow, text
from workflows.services.n8n_import import Actor, Given, Imported, Origin, import_all

TOGETHER = 60.0  # seconds for all that n8n is asked
MOST = 500  # workflows in one call


@dataclass(frozen=True, slots=True)
class Synced:
    """What was imported, and what n8n refused. A refusal of all has no id."""

    imported: Sequence[Imported]

    @property
    def failed(self) -> list[Imported]:
        return [item for item in self.imported if item.outcome == "failed"]

    @property
    def done(self) -> list[Imported]:
        return [item for item in self.imported if item.outcome != "failed"]


def sync(
    n8n_url: str,
    api_key: str,
    workflow_ids: Sequence[str] = (),
    *,
    by: Actor,
    timeout: float = TOGETHER,
) -> Synced:
    """Import these workflows of an instance; without ids all that are not archived.

    The key is used and not kept. All is read before the first row is written: no
    transaction is open while n8n is waited for. Raises ValueError for an address that
    is none.
    """
    url = base_url(n8n_url)
    client = Client(Policy(settings.ALLOWED_NETWORKS), pool_size=1)
    try:
        api = N8nApi(url, api_key, client, monotonic() + timeout)
        found = list(_read(api, list(dict.fromkeys(workflow_ids))))
    finally:
        client.close()
    synced = Synced(import_all(found, by=by))
    for item in synced.done:
        if item.workflow is not None and item.outcome in ("created", "updated"):
            changes = {"source": url, "id": item.origin.source_id}
            record("workflow.n8n_sync", item.workflow, by=by, changes=changes)
    return synced


def _read(api: N8nApi, ids: Sequence[str]) -> Iterator[Given]:
    """One that n8n refuses is told; a refusal of the key or of the list ends it."""
    try:
        if not ids:
            yield from _all(api)
            return
        for id_ in ids:
            try:
                yield _given(api.url, api.workflow(id_), id_)
            except N8nError as error:
                if error.code not in ("NOT_FOUND", "BAD_ANSWER"):
                    raise
                origin = Origin(api.url, id_)
                yield Given(origin, error=error.message, code=error.code)
    except N8nError as error:
        yield Given(Origin(api.url, ""), error=error.message, code=error.code)


def _all(api: N8nApi) -> Iterator[Given]:
    for number, tree in enumerate(api.workflows(), 1):
        if number > MOST:
            raise N8nError("TOO_MANY", f"n8n has more than {MOST}: give workflow_ids")
        if not (isinstance(tree, dict) and tree.get("isArchived") is True):
            yield _given(api.url, tree, "")


def _given(url: str, tree: Any, asked: str) -> Given:
    id_ = asked or text(tree.get("id") if isinstance(tree, dict) else "")[:100]
    origin = Origin(url, id_)
    try:
        return Given(origin, read_workflow(tree))
    except NotAWorkflow as error:
        return Given(origin, error=str(error), code="NOT_A_WORKFLOW")
