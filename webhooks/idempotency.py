"""By what an event is known again when it comes twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from automate.lib import jsonio
from runs.services import Dedupe
from runs.services.store import key_hash
from workflows import expressions
from workflows.triggers.webhook import DEFAULT_WINDOW

KEPT = timedelta(days=30)
KEY_DIGITS = 12  # of a key's hash, as people read it


def dedupe_of(
    trigger_id: UUID,
    rule: Mapping[str, Any],
    body: bytes,
    *,
    delivery_id: str,
    within: str = "",
    headers: Mapping[str, str],
    scope: Callable[[str], Mapping[str, Any]],
    content_hash: Callable[[], str],
    body_varies: bool = False,
) -> Dedupe | None:
    """The event's identity by the trigger's `idempotency`; None when it has none.

    `delivery_id` is the provider's, `within` what tells events with the same headers
    apart (those of a batch), `scope` gives what a template may refer to;
    `content_hash` tells a repetition from another event under the same key, which is
    refused (`webhooks.sameness`); `body_varies`: the provider's id alone tells,
    whatever the body. Raises
    workflows.expressions.ExpressionError when the template fails.
    """
    by = rule.get("by", "delivery")
    ttl = KEPT
    if by == "none":
        return None
    body_hash = content_hash()
    if by == "header":
        key = headers.get(rule["header"].lower(), "")
        if key and within:
            key = f"{key} {within}"
    elif by == "template":
        key = _rendered(rule["template"], scope)
    elif by == "body":
        key = f"body:{hashlib.sha256(body).hexdigest()}"
        ttl = timedelta(seconds=rule.get("window", DEFAULT_WINDOW))
    else:
        # The provider's own id first: where ids are signed, a header beside it would
        # let a captured event in again.
        key = (
            delivery_id
            or headers.get("idempotency-key", "")
            or headers.get("webhook-id", "")
        )
        if delivery_id and body_varies:
            body_hash = hashlib.sha256(
                delivery_id.encode("utf-8", "replace")
            ).hexdigest()
    if not key:
        return None
    return Dedupe(f"trigger:{trigger_id}", key, body_hash, ttl)


def known_by(
    rule: Mapping[str, Any], dedupe: Dedupe | None, headers: Mapping[str, str]
) -> dict[str, str]:
    """What a run's decisions say of its identity: by what, and the key's hash.

    `by` is the rule's, or the header that stood in for a provider's delivery id.
    """
    by = rule.get("by", "delivery")
    if dedupe is None:
        return {"by": "none" if by == "none" else f"{by}: missing"}
    if by == "delivery":
        for name in ("idempotency-key", "webhook-id"):
            if headers.get(name) == dedupe.key:
                by = name
                break
    return {"by": by, "key": key_hash(dedupe.key)[:KEY_DIGITS]}


def _rendered(template: str, scope: Callable[[str], Mapping[str, Any]]) -> str:
    value = expressions.render(template, scope(template))
    if value is None:
        return ""
    return value if isinstance(value, str) else jsonio.dumps(value)
