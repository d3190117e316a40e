"""What a condition saw: the values at the paths that it names, fit to be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automate.lib import jsonio
from automate.lib.payloads import PayloadStoreAway, opened
from automate.lib.redaction import REDACTED, Redactor
from automate.lib.shorten import shorten
from runs.engine.payload import UnreadablePayload, trigger_scope
from runs.models import Run
from workflows import expressions
from workflows.expressions.errors import member_text

MOST_PATHS = 20
ONE_VALUE = 300  # characters, about
_by_name = Redactor()


def seen(
    source: str, scope: Mapping[str, Any], redactor: Redactor = _by_name
) -> dict[str, Any]:
    """`{"values": {path: value}, "missing": [path]}` of an expression's paths.

    Values are redacted by the names along their path and within them, then cut; of
    many paths the first 20 are told. Never raises for a source that cannot be read.
    """
    try:
        references = expressions.parse_condition(source).references
    except expressions.TemplateError:
        return {"values": {}, "missing": []}
    values: dict[str, Any] = {}
    missing: list[str] = []
    for path in sorted(references)[:MOST_PATHS]:
        text = path[0] + "".join(map(member_text, path[1:]))
        try:
            value = expressions.render(_expression(path), scope)
        except expressions.ExpressionError:
            missing.append(text)
        else:
            values[text] = _fit(path[1:], value, redactor)
    return {"values": values, "missing": missing}


def saw_of_run(run: Run) -> dict[str, Any]:
    """What the condition saw that let this run's event pass: read from the event.

    Nothing where there was no condition, or the event cannot be read.
    """
    source = (run.decisions or {}).get("condition")
    if source is None:
        return {}
    try:
        run.body = opened(run.body)
        trigger = {**trigger_scope(run), "id": run.event_id}
    except (UnreadablePayload, PayloadStoreAway):
        return {}
    variables = run.version.definition.get("variables") or {}
    return dict(seen(source, {"trigger": trigger, "variables": variables})["values"])


def _expression(path: Sequence[str]) -> str:
    keys = (f"[{jsonio.dumps(key)}]" for key in path[1:])
    return f"{{{{ {path[0]}{''.join(keys)} }}}}"


def _fit(names: Iterable[str], value: Any, redactor: Redactor) -> Any:
    if value not in (None, "") and any(map(redactor.is_sensitive, names)):
        return REDACTED
    return shorten(redactor.data(value), ONE_VALUE)
