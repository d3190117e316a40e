"""The tests behind `is`: what each says, and what it refuses."""

from __future__ import annotations

import pytest

from tests.workflows.expressions.helpers import render_error, template_error, value_of
from workflows.expressions import TESTS


@pytest.mark.parametrize("name", sorted(TESTS))
def test_what_a_test_documents_is_so(name: str) -> None:
    spec = TESTS[name]
    assert value_of(spec.example) is spec.result
    assert f" is {name}" in spec.example
    assert spec.summary.endswith(".")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 is defined", True),
        ("trigger.payload.order.note is defined", True),
        ("trigger.payload.order.note is none", True),
        ("trigger.payload.order.note.x is defined", False),
        ("trigger.payload.nowhere.deeper is not defined", True),
        ("item is defined", False),
        ("secrets.X is undefined", True),
        ("1 is not none", True),
        ("true is number", False),
        ("1 is boolean", False),
        ("'a' is sequence", False),
        ("'a' is mapping", False),
        ("trigger is mapping", True),
        ("3 is odd", True),
        ("1 is not eq 2", True),
        ("2 is in([1, 2])", True),
        ("'a' is not in 'bcd'", True),
    ],
)
def test_tests(expression: str, expected: bool) -> None:
    assert value_of(expression) is expected


def test_a_test_refuses_what_does_not_fit() -> None:
    assert "test even: needs a whole number, not a string" in render_error(
        "'a' is even"
    )
    assert "a whole number, not a number" in render_error("1.5 is odd")
    assert "unknown test 'callable'" in template_error("1 is callable")
    assert "did you mean defined" in template_error("1 is define")
    assert template_error("1 is eq")
    assert "no such key" in render_error("trigger.nowhere is none")
