from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import get
from workflows.actions.outcomes import Done, Fail


def test_the_values_become_the_output(make_context: MakeContext) -> None:
    values = {"a": 1, "b": {"c": [None, "x"]}}
    assert get("set").execute(make_context({"values": values})) == Done(values)


@pytest.mark.parametrize("config", [{}, {"values": "x"}, {"values": [1]}])
def test_what_a_template_made_of_it_must_be_an_object(
    config: Any, make_context: MakeContext
) -> None:
    outcome = get("set").execute(make_context(config))
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"
    assert "must be an object" in outcome.error.message
