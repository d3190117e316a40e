"""Values of a run that are in the payload store: fetched late, kept early.

Nothing is awaited while a transaction is open (I6). What lies in the database is read
with the run. What lies elsewhere is fetched by the thread of the first step that reads
it, and put there by the thread of the step that made it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings

from automate.lib.encryption import EncryptedField
from automate.lib.payloads import (
    Elsewhere,
    PayloadMissing,
    PayloadStoreAway,
    fetched,
    get_ring,
    opened_all,
)
from automate.lib.sealed import Unreadable
from runs.engine import files
from runs.engine.payload import Later
from runs.payloads import OUTPUT, DatabaseStore, Kept, is_large, keep_output
from workflows import expressions
from workflows.actions.outcomes import AttemptRecord, Done, Fail

if TYPE_CHECKING:
    from runs.engine.held import Held
    from runs.engine.versions import Node

logger = logging.getLogger(__name__)

_FINAL = (Done, Fail)
_LARGER = 8  # times as large as an answer is its JSON at most, about


class PayloadGone(Exception):
    """What a step reads cannot be had any more, however often it tries."""


# --- reading ------------------------------------------------------------------------


def read_stored(held: Iterable[Held]) -> None:
    """Give these runs what they have in the database's store; no query without any.

    Part of the drain's transaction. What is not readable is told to the step that
    reads it.
    """
    places: list[tuple[dict[str, Any], str, Elsewhere]] = []
    for item in held:
        payload = _payload_of(item)
        if type(payload) is Later and (body := _stored(payload.body)) is not None:
            places.append((item.scope["trigger"], "payload", body))
        for name, value in item.outputs.items():
            if (there := _stored(value)) is not None:
                places.append((item.outputs, name, there))
    if not places:
        return
    values = opened_all([value for _, _, value in places])
    for (place, name, _), value in zip(places, values, strict=True):
        payload = place[name]
        place[name] = payload.of(value) if type(payload) is Later else value


def _payload_of(held: Held) -> Any:
    """The event's payload; None for a loop's item that does not refer to it."""
    trigger = held.scope.get("trigger")
    return None if trigger is None else trigger["payload"]


def _stored(value: object) -> Elsewhere | None:
    if isinstance(value, Elsewhere) and value.store == DatabaseStore.kind:
        return value
    return None


def bring(held: Held, node: Node) -> None:
    """Have in the run's scope what this step reads. For step threads.

    Raises PayloadStoreAway and PayloadGone.
    """
    outputs = held.outputs
    for name in node.reads:
        value = outputs.get(name)
        if isinstance(value, Unreadable):
            outputs[name] = _got(value, f"the output of step {name}")
            held.supplies.give(outputs[name])
    payload = _payload_of(held)
    if type(payload) is Later and _reads_payload(held, node):
        body = payload.body
        if isinstance(body, Unreadable):
            payload = payload.of(_got(body, "the run's body"))
        held.scope["trigger"].read(payload)
        held.supplies.give(held.scope["trigger"])


def read_file(held: Held, file: Any) -> bytes:
    """The bytes of a file of the run's event. For step threads.

    Raises runs.engine.files.NoSuchFile, PayloadStoreAway and PayloadGone.
    """
    trigger = held.scope.get("trigger")
    payload = _payload_of(held)
    source = payload if type(payload) is Later else getattr(trigger, "source", None)
    if source is None:
        raise files.NoSuchFile("there is no event here that has files")
    body = source.body
    if isinstance(body, Unreadable):
        body = _got(body, "the run's body")
    return files.read(file, body)


def lacks(held: Held, outputs: dict[str, Any], node: Node) -> bool:
    """Whether `bring` would have something to do for this node."""
    if any(isinstance(outputs.get(name), Unreadable) for name in node.reads):
        return True
    payload = _payload_of(held)
    return type(payload) is Later and _reads_payload(held, node)


def _got(value: Unreadable, what: str) -> Any:
    found: Any = value
    if isinstance(value, Elsewhere):
        try:
            found = fetched(value)
        except PayloadMissing as error:
            raise PayloadGone(f"{what} cannot be read: {error}") from error
    if isinstance(found, Unreadable):
        raise PayloadGone(f"{what} is {found}")
    return found


def _reads_payload(held: Held, node: Node) -> bool:
    assert held.version is not None  # noqa: S101 - only loaded runs are performed
    paths = expressions.references(
        node.config, held.version.step_ids, node.action.condition_fields
    )
    return any(
        path[0] == "trigger" and path[1:2] in ((), ("payload",), ("event",))
        for path in paths
    )


# --- keeping ------------------------------------------------------------------------


def _came_small(attempt: AttemptRecord | None) -> bool:
    """Whether the output was made of a small answer: spares a look through it."""
    return (
        attempt is not None
        and not attempt.response_truncated
        and len(attempt.response_body) * _LARGER < settings.INLINE_OUTPUT_LIMIT
    )


def kept_of(held: Held, column: EncryptedField, outcome: object) -> Kept | None:
    """The outcome's output moved out of its row, when it is too large for it.

    Never fails: the step has had its effect, and an output that the store does not
    take stays in its row. What the parent of a child run collects in a transaction
    stays there too.
    """
    if not isinstance(outcome, _FINAL) or outcome.output is None:
        return None
    if _came_small(outcome.attempt) or not is_large(outcome.output):
        return None
    if held.run.parent_id is not None and (
        column is OUTPUT or get_ring().writer.external
    ):
        return None
    try:
        return keep_output(column, outcome.output)
    except PayloadStoreAway as error:
        logger.warning("run %s: an output stays in its row: %s", held.run_id, error)
    except (TypeError, ValueError):
        logger.debug("run %s: an output has no form in JSON", held.run_id)
    return None
