"""Trying a connection: one GET of its base URL, as a step would send it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.clock import SystemClock
from automate.lib.database import write_transaction
from automate.lib.encryption import is_readable
from automate.lib.net import Client, Policy
from automate.lib.redaction import Redactor
from workflows.actions.base import Context, RunInfo, get
from workflows.actions.outcomes import AttemptRecord, Done, Fail, Outcome, Retry
from workflows.connections import SignInFailed, kind_of
from workflows.models import Connection
from workflows.services import noted
from workflows.services.connection_data import data_of

TIMEOUT = 10.0
REFUSED = frozenset({401, 403, 407})


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the connection works, and a redacted sentence about it."""

    ok: bool
    message: str


def check_connection(row: Connection, *, by: User | ApiKey | None) -> Check:
    """Ask the other system, and keep what came of it; an inactive one stays so.

    No transaction is open meanwhile. Whatever it answers below 400, and 404 and 405,
    shows that it was reached and did not refuse the credentials.
    """
    found = _asked(row)
    with write_transaction():
        changes: dict[str, Any] = {
            "last_checked_at": Now(),
            "last_check": found.message,
        }
        if row.status != Connection.Status.INACTIVE:
            works = Connection.Status.ACTIVE if found.ok else Connection.Status.ERROR
            changes["status"] = works
        Connection.objects.filter(pk=row.pk, status=row.status).update(**changes)
        audit("connection.check", row, by=by, changes={"result": found.message})
    noted.write_down()
    return found


def _asked(row: Connection) -> Check:
    if not is_readable(row.credentials):
        return Check(ok=False, message=f"The credentials are {row.credentials}.")
    hidden = {str(value) for value in row.credentials.values()} | noted.tokens_of(row)
    redactor = Redactor(hidden)
    found: list[Check] = []

    def work() -> None:
        client = Client(Policy(settings.ALLOWED_NETWORKS), pool_size=1)
        try:
            found.append(_try(row, client, redactor))
        except Exception as error:  # noqa: BLE001 - it is the answer
            text = redactor.text(f"{type(error).__name__}: {error}")
            found.append(Check(ok=False, message=text))
        finally:
            client.close()

    thread = threading.Thread(target=work, name="check", daemon=True)
    thread.start()
    thread.join(3 * TIMEOUT)
    if not found:
        return Check(ok=False, message="No answer in time: is the name service away?")
    return found[0]


def _try(row: Connection, client: Client, redactor: Redactor) -> Check:
    link = data_of(row)
    config = {"method": "GET", "url": row.base_url, "connection": row.name}
    context = Context(
        config=config,
        idempotency_key=f"check-{uuid4().hex}",
        attempt=1,
        timeout=TIMEOUT,
        http=client,
        clock=SystemClock(),
        redactor=redactor,
        run=RunInfo(id=f"check-{row.pk}"),
        node_id="check",
        connection=link,
        max_response=64 * 1024,
    )
    if row.base_url:
        return _read(get("http_request").execute(context))
    kind = kind_of(row.kind)
    if kind is None or not kind.signs_in:
        return Check(ok=False, message="It has no base URL, so there is none to ask.")
    try:
        kind.sign_in(context)
    except SignInFailed as error:
        return Check(ok=False, message=_sentence(redactor.text(str(error))))
    return Check(ok=True, message="A token was given; without a base URL that is all.")


def _read(outcome: Outcome) -> Check:
    attempt: AttemptRecord | None = getattr(outcome, "attempt", None)
    status = attempt.response_status if attempt is not None else None
    if status is None:
        assert isinstance(outcome, Fail | Retry)  # noqa: S101 - Done has an answer
        return Check(ok=False, message=_sentence(outcome.error.message))
    if status in REFUSED:
        return Check(
            ok=False, message=f"It answered {status}: the credentials are refused."
        )
    ok = isinstance(outcome, Done) or status < 400 or status in (404, 405)
    return Check(ok=ok, message=f"It answered {status}.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
