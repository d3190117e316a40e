"""What execute, trigger and workflow have in common: a start, once by its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.urls import reverse
from rest_framework.request import Request

from automate.accounts.api.callers import caller
from automate.lib.errors import Code
from automate.lib.rest import ApiError, invalid
from runs import services
from workflows.models import Workflow

REFUSES: Mapping[int, str] = {
    400: "Variables that the workflow does not have, or that are not of their type.",
    409: "Not published, switched off or archived.",
    422: "The same Idempotency-Key came before with another body.",
}


def start(
    request: Request,
    workflow: Workflow,
    payload: Any,
    variables: Mapping[str, Any],
    scope: tuple[str, ...],
    run_id: UUID | None = None,
) -> services.Accepted:
    """Start it, or find what this caller's Idempotency-Key started in this `scope`.

    `run_id` is the id of a new run that somebody waits for. Raises ApiError 422 for a
    key that came with another body.
    """
    accepted = services.execute_manually(
        workflow,
        payload,
        caller(request),
        variables,
        dedupe=_dedupe(request, scope),
        awaited_as=run_id,
        through="api",
    )
    if accepted.conflict:
        raise ApiError(
            422,
            Code.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key came before with another body.",
        )
    return accepted


def _dedupe(request: Request, scope: tuple[str, ...]) -> services.Dedupe | None:
    """By the key, among what this caller has started in this way."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    text = json.dumps(request.data, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    name, *rest = scope
    whole = ":".join([name, caller(request).pk.hex, *rest])
    return services.Dedupe(whole, key, digest)


@contextmanager
def told() -> Iterator[None]:
    """Why nothing was started, as the API says it."""
    try:
        yield
    except services.BadVariables as error:
        pairs = [problem.partition(": ")[::2] for problem in error.problems]
        raise invalid(pairs) from None
    except services.NotRunnable as error:
        raise ApiError(409, error.code, error.message) from None
    except services.AnswerUnreadable as error:
        raise ApiError(500, error.code, error.message) from None


def location(request: Request, run_id: UUID) -> dict[str, str]:
    """The header that names the run's address."""
    path = reverse("api:run-detail", args=(run_id,))
    return {"Location": request.build_absolute_uri(path)}
