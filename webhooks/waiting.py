"""`response_mode: wait`: the sender gets what the run answers, not only a receipt."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from automate.lib import jsonio
from automate.lib.errors import JSON, Code, encode_error
from runs.services import Accepted
from runs.services.answer import Answer as RunAnswer
from runs.services.errors import AnswerUnreadable
from runs.services.waiting import Awaited, accept_and_wait
from runs.states import RunStatus
from webhooks.answers import Answer, accepted
from workflows.actions.respond import REFUSED, WITHOUT_BODY

logger = logging.getLogger(__name__)

RETRY_AFTER = 2  # seconds, for who was not kept waiting or not long enough
TEXT = "text/plain; charset=utf-8"
# What a browser would apply to this whole site, which serves the admin too.
_SITE_WIDE = frozenset(
    {
        "alt-svc", "clear-site-data", "nel", "report-to", "reporting-endpoints",
        "service-worker-allowed", "strict-transport-security",
    }
)  # fmt: skip
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
_POLICY = "Content-Security-Policy"


def kept_waiting(accept: Callable[[UUID | None], Accepted], seconds: float) -> Answer:
    """Accept the event and answer with what its run answers within `seconds`.

    The same event again gets the first run's answer. 202 when too many wait already,
    or the answer takes longer.
    """
    try:
        awaited = accept_and_wait(accept, seconds)
    except AnswerUnreadable as error:
        logger.error("%s", error)
        return _failed(error.run_id, "has an answer that cannot be read")
    found = awaited.answer
    return of_run(found) if found and found.is_there else _receipt(awaited)


def _receipt(awaited: Awaited) -> Answer:
    """202: the event is safe, and its run goes on."""
    outcome, found = awaited.accepted, awaited.answer
    plain = accepted(outcome.run_id, duplicate=outcome.duplicate)
    body = {
        "run_id": str(outcome.run_id),
        "status": str(found.status if found else RunStatus.QUEUED),
        "duplicate": outcome.duplicate,
        "detail": f"No answer came within {awaited.seconds:g} s; the run goes on."
        if awaited.seconds
        else "Too many requests wait for answers already; the run goes on.",
    }
    headers = {**plain.headers, "Retry-After": str(RETRY_AFTER)}
    return Answer(202, jsonio.dumps(body).encode(), headers=headers)


def of_run(found: RunAnswer) -> Answer:
    """The HTTP answer for a run that has answered or ended.

    A run that ended badly is a 500: its sender asked for a result and there is none.
    It tells no reason, which is for those who may read the run.
    """
    if found.said is not None:
        return _said(found.run_id, found.said)
    if found.status is not RunStatus.SUCCEEDED:
        return _failed(found.run_id, f"ended as {found.status}")
    body = {
        "run_id": str(found.run_id),
        "status": str(found.status),
        "output": jsonio.storable(found.output),
    }
    return Answer(200, jsonio.dumps(body).encode(), headers=_location(found.run_id))


def _failed(run_id: UUID, what: str) -> Answer:
    message = f"The event was accepted, but its run {run_id} {what}."
    body, kind = encode_error(Code.RUN_FAILED, message, 500)
    return Answer(500, body, kind, _location(run_id))


def _location(run_id: UUID) -> dict[str, str]:
    return {"Location": f"/api/v1/runs/{run_id}"}


def _said(run_id: UUID, said: Mapping[str, Any]) -> Answer:
    status = int(said.get("status") or 200)
    headers = _headers(run_id, said.get("headers") or {})
    body = said.get("body")
    kind = headers.pop("content-type", None)
    if body is None or status in WITHOUT_BODY:
        return Answer(status, b"", kind or "", headers)
    if isinstance(body, str):
        return Answer(status, body.encode("utf-8", "replace"), kind or TEXT, headers)
    data = jsonio.dumps(jsonio.storable(body)).encode()
    return Answer(status, data, kind or JSON, headers)


def _headers(run_id: UUID, given: Mapping[str, Any]) -> dict[str, str]:
    """What may be sent, by lower-case name; the rest is left out and logged.

    The answer comes from the site of the admin: a browser must not run a page in it as
    that site's own.
    """
    headers = {}
    for name, value in given.items():
        lower = name.lower()
        if lower in REFUSED | _SITE_WIDE or _UNSENDABLE.search(str(value)):
            logger.warning("run %s: its answer's header %s is not sent", run_id, name)
        else:
            headers[lower] = str(value)
    policy = headers.pop(_POLICY.lower(), "")
    return {**headers, _POLICY: f"{policy}, sandbox" if policy else "sandbox"}
