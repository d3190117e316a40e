"""n8n's conditions as one expression: those of IF v1, and the filters of IF v2.

What they mean is in packages/workflow/src/node-parameters/filter-parameter.ts and in
packages/nodes-base/nodes/If/V1. A path that leads nowhere is undefined there: here it
counts as none. All functions raise NotRead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.integrations.n8n.expr import Expr
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.methods import ends_with, starts_with
from workflows.integrations.n8n.source import listed, mapping, number, text
from workflows.integrations.n8n.templates import Values

_COMPARED = {
    "gt": ">", "larger": ">", "lt": "<", "smaller": "<",
    "gte": ">=", "largerEqual": ">=", "lte": "<=", "smallerEqual": "<=",
}  # fmt: skip
_LENGTHS = {
    "lengthEquals": "==", "lengthNotEquals": "!=", "lengthGt": ">",
    "lengthLt": "<", "lengthGte": ">=", "lengthLte": "<=",
}  # fmt: skip
_MOMENTS = {"after": ">", "before": "<", "afterOrEquals": ">=", "beforeOrEquals": "<="}
_MOMENT = "date_format('%Y-%m-%dT%H:%M:%S')"
_EMPTY = {"isEmpty", "empty"}
_FILLED = {"isNotEmpty", "notEmpty"}
DEFAULTS = {
    "boolean": "equal",
    "dateTime": "after",
    "number": "smaller",
    "string": "equal",
}
_NOTHING: dict[str, Any] = {"boolean": False, "number": 0, "string": "", "dateTime": ""}


def filter_condition(values: Values, given: Mapping[str, Any], *, loose: bool) -> str:
    """Of a node's `conditions` in the shape since IF v2."""
    options = mapping(given.get("options"))
    loose = loose or text(options.get("typeValidation")) == "loose"
    cased = options.get("caseSensitive") is not False
    found = [
        _one(values, mapping(condition), cased=cased, loose=loose)
        for condition in listed(given.get("conditions"))
    ]
    return _all(found, " or " if text(given.get("combinator")) == "or" else " and ")


def old_conditions(values: Values, given: Mapping[str, Any], combine: str) -> str:
    """Of IF v1: a list for each type."""
    found = [
        old_condition(values, kind, mapping(item), mapping(item).get("value1"))
        for kind, items in given.items()
        for item in listed(items)
    ]
    return _all(found, " or " if combine == "any" else " and ")


def old_condition(values: Values, kind: str, item: Mapping[str, Any], left: Any) -> str:
    """One of IF v1, or a rule of Switch v1 and v2; `value2` is compared with."""
    if kind not in DEFAULTS:
        raise NotRead(f'a condition of the type "{kind[:40]}"')
    operation = text(item.get("operation")) or DEFAULTS[kind]
    nothing = _NOTHING[kind]
    one = values.expression(nothing if left is None else left)
    two = values.expression(item.get("value2", nothing))
    if operation in _EMPTY:
        return f"{one.lenient} in [none, '']"
    if operation in _FILLED:
        return f"{one.lenient} not in [none, '']"
    if operation in ("equal", "notEqual"):
        sign = "==" if operation == "equal" else "!="
        return f"{one.lenient} {sign} {two.lenient}"
    if operation in _MOMENTS:
        return _moments(values, one, two, _MOMENTS[operation])
    if operation in _COMPARED:
        return f"{_or(one, '0')} {_COMPARED[operation]} {_or(two, '0')}"
    return _texts(_text(one), _text(two), operation)


def _all(found: list[str], word: str) -> str:
    if not found:
        raise NotRead("it has no condition")
    if len(found) == 1:
        return found[0]
    return word.join(f"({condition})" for condition in found)


def _one(
    values: Values, condition: Mapping[str, Any], *, cased: bool, loose: bool
) -> str:
    operator = mapping(condition.get("operator"))
    kind, operation = text(operator.get("type")), text(operator.get("operation"))
    left = values.expression(condition.get("leftValue"))
    if operation in ("exists", "notExists"):
        return f"{left.lenient} is {'not ' if operation == 'exists' else ''}none"
    given = condition.get("rightValue")
    right = values.expression(_number(given) if kind == "number" else given)
    match kind:
        case "string":
            return _texts(
                _cased(_text(left, loose=loose), cased),
                _cased(_text(right, loose=loose), cased),
                operation,
            )
        case "number":
            return _numbers(left, right, operation, loose=loose)
        case "boolean":
            return _booleans(left, right, operation, loose=loose)
        case "dateTime":
            return _times(values, left, right, operation)
        case "array":
            return _lists(values, left, right, operation, cased=cased)
        case "object" if operation in _EMPTY | _FILLED:
            return f"{'not ' if operation in _EMPTY else ''}{left.lenient}"
    raise NotRead(f'the comparison "{kind[:40]} {operation[:40]}"')


def _number(given: Any) -> Any:
    """A number that was typed into the editor may be stored as text."""
    if isinstance(given, str) and given and not given.startswith("="):
        value = number(given, float("nan"))
        return int(value) if value == value and value == int(value) else given
    return given


def _text(value: Expr, *, loose: bool = False) -> Expr:
    if value.kind == "text":
        return value
    source = f"({value.source} | default('', true)"
    return Expr(f"{source}{' | string' if loose else ''})", "text", atom=True)


def _cased(value: Expr, cased: bool) -> Expr:  # noqa: FBT001 - n8n's own option
    return value if cased else Expr(f"({value.operand} | lower)", "text", atom=True)


def _or(value: Expr, other: str) -> str:
    if value.kind == "number":
        return value.operand
    return f"({value.source} | default({other}, true))"


def _texts(left: Expr, right: Expr, operation: str) -> str:
    negated = operation.startswith("not") and operation != "notEmpty"
    name = operation[3:4].lower() + operation[4:] if negated else operation
    match name:
        case "equals" | "equal":
            return f"{left.operand} {'!=' if negated else '=='} {right.operand}"
        case "empty" | "isEmpty":
            return f"{left.operand} == ''"
        case "notEmpty" | "isNotEmpty":
            return f"{left.operand} != ''"
        case "contains":
            found = Expr(f"{right.operand} in {left.operand}")
        case "startsWith":
            found = starts_with(left, [right])
        case "endsWith":
            found = ends_with(left, [right])
        case "regex":
            raise NotRead("a regular expression: there are none here")
        case _:
            raise NotRead(f'the comparison "{operation[:40]}" of texts')
    return f"not ({found.source})" if negated else found.source


def _numbers(left: Expr, right: Expr, operation: str, *, loose: bool) -> str:
    if operation in _EMPTY | _FILLED:
        return f"{left.lenient} is {'' if operation in _EMPTY else 'not '}none"
    one, two = left.lenient, right.lenient
    if loose and left.kind != "number":
        one = f"({one} | float(none))"
    if loose and right.kind != "number":
        two = f"({two} | float(none))"
    if operation in ("equals", "notEquals"):
        return f"{one} {'==' if operation == 'equals' else '!='} {two}"
    sign = _COMPARED.get(operation)
    if sign is None:
        raise NotRead(f'the comparison "{operation[:40]}" of numbers')
    guards = [
        f"{source} is number and "
        for source, value in ((one, left), (two, right))
        if value.kind != "number"
    ]
    return f"{''.join(guards)}{one} {sign} {two}"


def _booleans(left: Expr, right: Expr, operation: str, *, loose: bool) -> str:
    if operation in _EMPTY | _FILLED:
        return f"{left.lenient} is {'' if operation in _EMPTY else 'not '}none"
    if loose and operation in ("true", "false"):
        return f"{'not ' if operation == 'false' else ''}{left.lenient}"
    match operation:
        case "true":
            return f"{left.lenient} == true"
        case "false":
            return f"{left.lenient} in [false, none]"
        case "equals":
            return f"{left.lenient} == {right.lenient}"
        case "notEquals":
            return f"{left.lenient} != {right.lenient}"
    raise NotRead(f'the comparison "{operation[:40]}" of true and false')


def _times(values: Values, left: Expr, right: Expr, operation: str) -> str:
    if operation in _EMPTY | _FILLED:
        return f"{left.lenient} is {'' if operation in _EMPTY else 'not '}none"
    if operation in ("equals", "notEquals"):
        return _moments(values, left, right, "==" if operation == "equals" else "!=")
    if operation in _MOMENTS:
        return _moments(values, left, right, _MOMENTS[operation])
    raise NotRead(f'the comparison "{operation[:40]}" of times')


def _moments(values: Values, left: Expr, right: Expr, sign: str) -> str:
    values.note(
        "times are compared as they are written in ISO 8601, whatever their time zones"
    )
    return f"{left.operand} | {_MOMENT} {sign} {right.operand} | {_MOMENT}"


def _lists(
    values: Values, left: Expr, right: Expr, operation: str, *, cased: bool
) -> str:
    items = f"({left.source} | default([], true))"
    if operation in _EMPTY | _FILLED:
        return f"{items} | length {'==' if operation in _EMPTY else '!='} 0"
    if operation in _LENGTHS:
        return f"{items} | length {_LENGTHS[operation]} {right.operand}"
    if operation in ("contains", "notContains"):
        if not cased:
            values.note("capital and small letters are told apart in the list")
        return f"{right.operand} {'not ' * (operation != 'contains')}in {items}"
    raise NotRead(f'the comparison "{operation[:40]}" of lists')
