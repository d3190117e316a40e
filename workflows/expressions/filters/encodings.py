"""Filters that write and read other forms: JSON, base64, digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from automate.lib import jsonio
from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation, Evaluator
from workflows.expressions.filters.base import encoded, need_text, register
from workflows.expressions.paths import MISSING
from workflows.expressions.values import json_text, truth_of


@register(
    example="trigger.nowhere | default('none given')", result="none given", lazy=True
)
def default(
    evaluation: Evaluation,
    value: Any,
    default_value: Evaluator | None = None,
    boolean: Evaluator | None = None,
) -> Any:
    """Stands in for a path that leads nowhere; with true, also for empty values."""
    absent = value is MISSING
    if not absent and boolean is not None and truth_of(boolean(evaluation)):
        absent = not truth_of(value)
    if not absent:
        return value
    return "" if default_value is None else default_value(evaluation)


@register(example="{'a': [1, none]} | json", result='{"a":[1,null]}')
def json(evaluation: Evaluation, value: Any) -> str:
    """The value as compact JSON."""
    return json_text(evaluation, value)


@register(example="'[1, 2]' | from_json", result=[1, 2])
def from_json(evaluation: Evaluation, value: Any) -> Any:
    """The value of a JSON text, read as strictly as what arrives."""
    text = need_text(evaluation, value)
    evaluation.spend(len(text) // 4)
    try:
        return jsonio.loads(text)
    except jsonio.BadJSON:
        raise RenderError("this string is not JSON") from None


@register(example="'hé' | b64encode", result="aMOp")
def b64encode(evaluation: Evaluation, value: Any) -> str:
    """The text's UTF-8 bytes in base64."""
    raw = encoded(need_text(evaluation, value))
    evaluation.emit(2 * len(raw))
    return base64.b64encode(raw).decode()


@register(example="'aMOp' | b64decode", result="hé")
def b64decode(evaluation: Evaluation, value: Any) -> str:
    """The UTF-8 text within base64, of either alphabet, padded or not."""
    text = need_text(evaluation, value).strip().rstrip("=")
    text = text.replace("-", "+").replace("_", "/")
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise RenderError("this string is not base64 of a text") from None


@register(
    example="'abc' | sha256 | truncate(8, '')",
    result="ba7816bf",
)
def sha256(evaluation: Evaluation, value: Any) -> str:
    """The SHA-256 digest of the text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(encoded(need_text(evaluation, value))).hexdigest()
