"""The client: one method for each thing that integrators do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

from automate_client.errors import StillRunning
from automate_client.events import Event, follow
from automate_client.shapes import Execution, Run
from automate_client.transport import Transport, json_of


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as the API shows it, and the ETag by which a change names it."""

    data: dict[str, Any]
    etag: str


class Automate:
    """Automate at `url` (else AUTOMATE_URL), by an API key (else AUTOMATE_KEY).

    `timeout` is in seconds, of one request; `tries` is how often a request is sent at
    most. Every method raises AutomateError. Use one in each thread.
    """

    def __init__(
        self, url: str = "", key: str = "", *, timeout: float = 60.0, tries: int = 5
    ) -> None:
        url = url or os.environ["AUTOMATE_URL"]
        key = key or os.environ["AUTOMATE_KEY"]
        self._transport = Transport(url, key, timeout, tries)

    # --- starting -------------------------------------------------------------------

    def execute(
        self,
        workflow: str,
        input_data: Any = None,
        *,
        variables: Mapping[str, Any] | None = None,
        idempotency_key: str = "",
        within: float = 300.0,
    ) -> Execution:
        """Run it and wait, `within` so many seconds, for its result.

        A run that failed is a result too: see `status` and `error`. Without a key of
        yours each call has one of its own, so that its repetitions start nothing twice.
        Raises StillRunning.
        """
        until = time.monotonic() + within
        body = {"input_data": {} if input_data is None else input_data}
        path = f"/workflows/{quote(workflow, safe='')}/execute"
        answer = self._start(path, body, variables, idempotency_key)
        found = cast("Execution", answer)
        if found["status"] in ("queued", "running", "waiting"):
            run = self.wait(found["run_id"], within=max(0.0, until - time.monotonic()))
            return {
                "run_id": run["id"],
                "status": run["status"],
                "result": run.get("output"),
                "error": run["error"],
            }
        return found

    def trigger(
        self,
        workflow: str,
        payload: Any = None,
        *,
        variables: Mapping[str, Any] | None = None,
        idempotency_key: str = "",
    ) -> str:
        """Start it without waiting; the run's id. What was started is not lost."""
        body = {"workflow_id": workflow, "payload": {} if payload is None else payload}
        run_id = self._start("/trigger", body, variables, idempotency_key)["run_id"]
        return str(run_id)

    def wait(self, run_id: str, *, within: float = 300.0) -> Run:
        """The run when it has ended, however. Raises StillRunning."""
        until, pause = time.monotonic() + within, 0.1
        while (found := self.run(run_id))["completed_at"] is None:
            if time.monotonic() + pause > until:
                raise StillRunning(f"run {run_id} is {found['status']}")
            time.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        return found

    # --- runs -----------------------------------------------------------------------

    def run(self, run_id: str) -> Run:
        """One run with its data."""
        return cast("Run", self._get(f"/runs/{run_id}"))

    def runs(self, **filters: Any) -> Iterator[Run]:
        """Runs, newest first, page after page: `runs(workflow="a", status="failed")`.

        The filters are those of `GET /runs`; a list repeats the name.
        """
        while True:
            page = self._get("/runs", filters)
            yield from page["results"]
            if page["next_cursor"] is None:
                return
            filters = {**filters, "cursor": page["next_cursor"]}

    def redrive(
        self, run_id: str, *, start: str = "start", version: str = "pinned"
    ) -> str:
        """Run it again from `start`, `failed` or a step; the new run's id."""
        body = {"from": start, "version": version}
        return str(self._post(f"/runs/{run_id}/redrive", body)["run_id"])

    def cancel(self, run_id: str, reason: str = "") -> str:
        """Stop it; its status then. What is cancelled already stays so."""
        body = {"reason": reason} if reason else {}
        return str(
            self._post(f"/runs/{run_id}/cancel", body, repeatable=True)["status"]
        )

    def answer(
        self, run_id: str, step: str, decision: str, comment: str = "", **data: Any
    ) -> Run:
        """Answer a step that waits; `decision` and `data` as the API has them."""
        body = {"decision": decision, **({"comment": comment} if comment else {})}
        path = f"/runs/{run_id}/waits/{quote(step, safe='')}"
        return cast(
            "Run", self._post(path, {**body, **({"data": data} if data else {})})
        )

    def approve(self, run_id: str, step: str, comment: str = "") -> Run:
        """Say yes to an approval."""
        return self.answer(run_id, step, "approved", comment)

    def reject(self, run_id: str, step: str, comment: str = "") -> Run:
        """Say no to an approval."""
        return self.answer(run_id, step, "rejected", comment)

    def events(self, run_id: str, *, last_id: str = "") -> Iterator[Event]:
        """What happens to the run until it ends; goes on where a connection broke.

        With the `id` of an event that was seen before, only what is new since then.
        """
        return follow(self._transport, self.run(run_id)["links"]["events"], last_id)

    # --- workflows ------------------------------------------------------------------

    def workflow(self, name: str) -> Workflow:
        """The workflow of this UUID or slug."""
        return self._workflow("GET", name, repeatable=True)

    def create_workflow(self, document: Mapping[str, Any]) -> Workflow:
        """Make a workflow; it is published unless its status is `draft`."""
        return self._workflow("POST", "", repeatable=False, json=document)

    def put_workflow(
        self, name: str, document: Mapping[str, Any], *, etag: str
    ) -> Workflow:
        """Make it what the document says, as `create_workflow` takes one.

        Raises PreconditionFailed when it is no longer the one that `etag` names; an
        empty `etag` overwrites whatever is there.
        """
        return self._change("PUT", name, document, etag)

    def patch_workflow(
        self, name: str, changes: Mapping[str, Any], *, etag: str
    ) -> Workflow:
        """Change what is named, each name as a whole. The same of `etag`."""
        return self._change("PATCH", name, changes, etag)

    # --- how ------------------------------------------------------------------------

    def _start(
        self, path: str, body: dict[str, Any], variables: Any, key: str
    ) -> dict[str, Any]:
        if variables is not None:
            body["variables"] = dict(variables)
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self._post(path, body, repeatable=True, headers=headers)

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        answer = self._transport.send("GET", path, repeatable=True, params=params)
        return json_of(answer)

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        repeatable: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        answer = self._transport.send(
            "POST", path, repeatable=repeatable, json=body, **more
        )
        return cast("dict[str, Any]", json_of(answer))

    def _change(
        self, method: str, name: str, body: Mapping[str, Any], etag: str
    ) -> Workflow:
        headers = {"If-Match": etag} if etag else {}
        more = {"json": body, "headers": headers}
        return self._workflow(method, name, repeatable=False, **more)

    def _workflow(
        self, method: str, name: str, *, repeatable: bool, **more: Any
    ) -> Workflow:
        path = f"/workflows/{quote(name, safe='')}" if name else "/workflows"
        answer = self._transport.send(method, path, repeatable=repeatable, **more)
        return Workflow(json_of(answer), answer.headers.get("ETag", ""))
