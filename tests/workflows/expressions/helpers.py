"""Short ways to evaluate in tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.conftest import KNOWN, make_scope
from workflows.expressions import RenderError, TemplateError, render


def value_of(expression: str, **roots: Any) -> Any:
    """What the expression evaluates to in the usual scope, with these roots added."""
    return render(f"{{{{ {expression} }}}}", make_scope() | roots, known_names=KNOWN)


def render_error(expression: str, **roots: Any) -> str:
    """The message with which the data refuse the expression."""
    with pytest.raises(RenderError) as caught:
        value_of(expression, **roots)
    return str(caught.value)


def template_error(expression: str) -> str:
    """The message with which the expression is refused before any data."""
    with pytest.raises(TemplateError) as caught:
        value_of(expression)
    return str(caught.value)
