"""Expressions that are nested as deeply as somebody may write them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from workflows.expressions import (
    TemplateError,
    render,
)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 900 + " }}",
        "{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}",
        "{{ " + "[" * 1500 + "]" * 1500 + " }}",
        "{{ " + "{'a':" * 500 + "1" + "}" * 500 + " }}",
        "{{ " + "not " * 900 + "1 }}",
        "{{ " + "-" * 3000 + "1 }}",
        "{{ " + "- " * 1500 + "1 }}",
        "{{ " + "1 if 1 else " * 300 + "1 }}",
        "{{ 1" + " + 1" * 900 + " }}",
        "{{ item" + ".a" * 1900 + " }}",
        "{{ item" + "[0]" * 1300 + " }}",
        "{{ item" + "|upper" * 600 + " }}",
        "{{ 1" + " or 1" * 700 + " }}",
        "{{ " + "item[" * 700 + "0" + "]" * 700 + " }}",
    ],
)
def test_nesting_bombs_are_refused_without_a_recursion_error(text: str) -> None:
    with pytest.raises(TemplateError, match="nested too deeply"):
        render(text, {"item": {}})


def test_what_may_be_nested_is_evaluated_even_deep_in_the_stack() -> None:
    nested = "{{ " + "(1 + (" * 8 + "1" + "))" * 8 + " }}"
    prefixed = "{{ " + "not " * 60 + "item }}"

    def deeper(levels: int) -> Any:
        if levels:
            return deeper(levels - 1)
        compiler_free = nested + " " * 3, prefixed + " " * 3
        return [render(text, {"item": 1}) for text in compiler_free]

    frames = len(_stack())
    assert deeper(max(0, sys.getrecursionlimit() - frames - 650)) == [9, True]


def _stack() -> list[Any]:
    frame, frames = sys._getframe(), []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames
