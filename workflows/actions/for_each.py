"""Step kind `for_each`: a child run for each item of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from automate.lib import jsonio
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, StartChildren

MAX_ITEM = 256 * 1024
MAX_TOTAL = 8 * 1024 * 1024
MAX_CONCURRENCY = 1000


@register
class ForEach(Action):
    """Runs its body once an item; its output is `{"results", "count", "failed"}`.

    Of an object each item is `{"key", "value"}`. The engine starts and collects the
    child runs; `item_failed` is taken when some failed and the others went on.
    """

    kind = "for_each"
    label = "For each"
    description = "Runs the steps inside it for each item of a list."
    ports = ("success", "failure", "item_failed")
    body = True
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["items"],
        "properties": {
            "items": {
                "title": "Items",
                "description": "A list, or an object, of which each item is "
                '{"key", "value"}',
                "type": ["array", "object"],
            },
            "nodes": {"title": "Steps", "description": "What is done for each item"},
            "connections": {"title": "Connections"},
            "output": {
                "title": "Result of an item",
                "description": "A template; without one, the output of the last step",
            },
            "concurrency": {
                "title": "At once",
                "description": "How many items are worked on at the same time",
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_CONCURRENCY,
                "default": 10,
            },
            "on_item_error": {
                "title": "When an item fails",
                "description": "stop the loop, or continue with the others",
                "enum": ["stop", "continue"],
                "default": "stop",
            },
        },
    }

    def idle_ports(self, config: Mapping[str, Any]) -> Mapping[str, str]:
        """A loop that stops at the first failure fails: it has no failed items."""
        if config.get("on_item_error", "stop") != "stop":
            return {}
        return {"item_failed": '"on_item_error": "continue"'}

    def execute(self, context: Context) -> Outcome:
        config = context.config
        try:
            items = items_of(config["items"], context.max_items)
            concurrency = config.get("concurrency", 10)
            if not _is_number(concurrency):
                raise ValueError(
                    f"concurrency must be a whole number from 1 to {MAX_CONCURRENCY}"
                )
            on_item_error = config.get("on_item_error", "stop")
            if on_item_error not in ("stop", "continue"):
                raise ValueError("on_item_error must be stop or continue")
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", context.redactor.text(str(error))))
        if not items:
            return Done({"results": [], "count": 0, "failed": []})
        return StartChildren(
            tuple(items), concurrency=concurrency, on_item_error=on_item_error
        )


def _is_number(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 1 <= value <= MAX_CONCURRENCY  # type: ignore[operator]


def items_of(value: Any, most: int) -> list[Any]:
    """The items of a list or an object; ValueError for too many or too large ones."""
    if isinstance(value, Mapping):
        value = [{"key": key, "value": item} for key, item in value.items()]
    if not isinstance(value, list):
        raise ValueError(
            f"items must be a list or an object, and this is {_name(value)}: "
            'write it as "{{ trigger.payload.lines }}", with nothing around it'
        )
    if len(value) > most:
        raise ValueError(
            f"items has {len(value):,} entries; AUTOMATE_MAX_ITEMS allows {most:,}"
        )
    total = 0
    for index, item in enumerate(value):
        size = size_of(item, f"items[{index}]")
        if size > MAX_ITEM:
            raise ValueError(
                f"items[{index}] has {size:,} bytes as JSON; an item may have "
                f"{MAX_ITEM:,}"
            )
        total += size
    if total > MAX_TOTAL:
        raise ValueError(
            f"the items have {total:,} bytes as JSON; all together may have "
            f"{MAX_TOTAL:,}"
        )
    return value


def size_of(value: Any, name: str) -> int:
    """The bytes of the value as JSON; ValueError when it has no such form."""
    try:
        return len(jsonio.dumps(value).encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{name} has no form in JSON: {error}") from None


def _name(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), type(value).__name__)
